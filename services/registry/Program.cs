using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Fleet.Registry.Publishing;
using Fleet.Registry.Rollouts;
using Fleet.Registry.Signatures;
using Fleet.Registry.Storage;
using Fleet.Registry.Upkeep;

namespace Fleet.Registry;

/// <summary>The registry: versions of models, their weights by digest, aliases.</summary>
public static class RegistryHost
{
    /// <summary>The service, ready to run; settings are configuration keys, for example <c>--Registry:DataPath=folder</c>.</summary>
    public static WebApplication Create(params string[] args) => Create(args, TimeProvider.System);

    /// <summary>Runs the service until it is told to stop.</summary>
    public static Task Main(string[] args) => Create(args).RunAsync();

    internal static WebApplication Create(string[] args, TimeProvider time)
    {
        var builder = FleetDefaults.CreateBuilder("registry", args);
        builder.Services.AddFleetOptions<RegistryOptions>(RegistryOptions.Section);
        builder.Services.AddAccess();
        builder.Services.AddBlobs();
        builder.Services.AddSingleton<RegistryDatabase>();
        builder.Services.AddSingleton<AuditLog>();
        builder.Services.AddSingleton<AuditHistory>();
        builder.Services.AddSingleton<LogVerifier>();
        builder.Services.AddSingleton<VersionCatalog>();
        builder.Services.AddSingleton<Quotas>();
        builder.Services.AddSingleton<Publisher>();
        builder.Services.AddSingleton<GarbageCollector>();
        builder.Services.AddSingleton<BlobVerifier>();
        builder.Services.AddSignatures();
        builder.Services.AddSingleton(time);
        builder.Services.AddRollouts();
        builder.Services.AddHealthChecks().AddCheck<StorageHealthCheck>("storage");

        var app = builder.Build();
        app.MapGrpcService<RegistryService>();
        app.MapGrpcService<AuditService>();
        app.MapRollouts();
        app.MapFleetDefaults();

        // Opened now: a folder that cannot be used or a database that is too new is said when the process starts.
        _ = app.Services.GetRequiredService<Publisher>();
        _ = app.Services.GetRequiredService<AccessTokens>();
        return app;
    }
}
