using Fleet.Client.Registry;
using Fleet.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Fleet.Serving.Versions;

/// <summary>Adds the version store to a service.</summary>
public static class VersionStoreRegistration
{
    /// <summary>Adds <see cref="VersionStore"/>, set up by the sections <c>Store</c> and <c>Registry</c>.</summary>
    public static IServiceCollection AddVersionStore(this IServiceCollection services)
    {
        services.AddFleetOptions<VersionStoreOptions>(VersionStoreOptions.Section);
        services.AddFleetOptions<RegistryAddressOptions>(RegistryAddressOptions.Section);
        services.AddSingleton(provider =>
        {
            var registry = provider.GetRequiredService<IOptions<RegistryAddressOptions>>().Value;
            return new RegistryClient(registry.Address, registry.ReadToken());
        });
        services.AddSingleton<VersionStore>();
        return services;
    }
}
