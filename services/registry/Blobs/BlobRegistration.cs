using Fleet.Hosting;
using Fleet.Registry.Blobs.S3;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Blobs;

/// <summary>Blobs in the services of the registry.</summary>
internal static class BlobRegistration
{
    public static IServiceCollection AddBlobs(this IServiceCollection services)
    {
        services.AddFleetOptions<BlobOptions>(BlobOptions.Section);
        services.AddFleetOptions<S3Options>(S3Options.Section);
        services.AddSingleton<UploadFolder>();
        services.AddSingleton<BlobPins>();
        services.AddSingleton<BlobStore>();
        return services.AddSingleton<IBlobStorage>(provider => Value<BlobOptions>(provider).Blobs is { Length: > 0 } address
            ? new BlobBucket(S3Connection.Open(Value<S3Options>(provider)), address)
            : new BlobFolder(Path.GetFullPath(Value<RegistryOptions>(provider).DataPath)));
    }

    private static TOptions Value<TOptions>(IServiceProvider provider)
        where TOptions : class => provider.GetRequiredService<IOptions<TOptions>>().Value;
}
