using Fleet.Diffusion;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Serving.Versions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Fleet.Serving;

/// <summary>Registers what a service needs to compute with versions on its slice.</summary>
public static class SliceRegistration
{
    /// <summary>The slice's device, opened when it is first asked for.</summary>
    public static IServiceCollection AddSlice(this IServiceCollection services)
    {
        services.AddFleetOptions<SliceOptions>(SliceOptions.Section);
        return services.AddSingleton(provider =>
        {
            var slice = provider.GetRequiredService<IOptions<SliceOptions>>().Value;
            return ComputeDevice.Open(slice.Device, slice.DType, slice.Threads);
        });
    }

    /// <summary>A queue in front of the slice's device, run by a thread of that name.</summary>
    public static IServiceCollection AddDeviceQueue(this IServiceCollection services, string name) => services.AddSingleton(provider => new DeviceQueue(
        name,
        provider.GetRequiredService<IOptions<SliceOptions>>().Value.QueueCapacity,
        provider.GetRequiredService<ComputeDevice>().PrepareThread));

    /// <summary>The versions that are loaded on the slice, from the local store that this registers too.</summary>
    /// <param name="services">Where to register.</param>
    /// <param name="wants">Which files of a version are needed, by path.</param>
    /// <param name="load">Loads a version from a checkpoint that holds them.</param>
    public static IServiceCollection AddResidentModels<TModel>(
        this IServiceCollection services, Func<string, bool> wants, Func<Checkpoint, string, ComputeDevice, TModel> load)
        where TModel : IStageModel<TModel>
    {
        services.AddVersionStore();
        services.AddSingleton(provider => new TensorPool(provider.GetRequiredService<IOptions<SliceOptions>>().Value.MemoryBudget));
        services.AddSingleton(provider =>
        {
            var device = provider.GetRequiredService<ComputeDevice>();
            return new StageVersions<TModel>(
                provider.GetRequiredService<VersionStore>(), provider.GetRequiredService<TensorPool>(), wants, (checkpoint, version) => load(checkpoint, version, device));
        });
        return services.AddSingleton(provider =>
        {
            var versions = provider.GetRequiredService<StageVersions<TModel>>();
            return new ResidentModels<TModel>(
                versions.ContentOfAsync, versions.LoadAsync, provider.GetRequiredService<IOptions<SliceOptions>>().Value.IdleVersions);
        });
    }
}
