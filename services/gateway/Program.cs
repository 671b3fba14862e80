using Fleet.Gateway.Jobs;
using Fleet.Gateway.Planning;
using Fleet.Gateway.Requests;
using Fleet.Gateway.Rollouts;
using Fleet.Gateway.Stages;
using Fleet.Hosting;

namespace Fleet.Gateway;

/// <summary>The gateway process: what clients of a fleet call.</summary>
public static class GatewayHost
{
    public static Task Main(string[] args) => Create(args).RunAsync();

    /// <summary>Builds the service; settings as <c>--Section:Key=value</c>.</summary>
    public static WebApplication Create(params string[] args)
    {
        var builder = FleetDefaults.CreateBuilder("gateway", args);

        // A caller that stops reading is found by GatewayOptions.StalledAfter, not by Kestrel's bytes per second.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MinResponseDataRate = null);

        builder.Services.AddFleetOptions<StageOptions>(StageOptions.Section);
        builder.Services.AddFleetOptions<GatewayOptions>(GatewayOptions.Section);
        builder.Services.AddFleetOptions<RolloutOptions>(RolloutOptions.Section);

        builder.Services.AddSingleton<StageClients>();
        builder.Services.AddSingleton<VersionResolver>();
        builder.Services.AddSingleton<SchedulerCatalog>();
        builder.Services.AddSingleton<GenerationPlanner>();
        builder.Services.AddSingleton<StageRunner>();
        builder.Services.AddRollouts();
        builder.Services.AddSingleton<GenerationRunner>();
        builder.Services.AddSingleton<RunGeneration>(services => services.GetRequiredService<GenerationRunner>().RunAsync);
        builder.Services.AddSingleton<JobTable>();
        builder.Services.AddSingleton<RequestReader>();

        var app = builder.Build();
        app.MapGrpcService<GenerationService>();
        app.MapFleetDefaults();
        return app;
    }
}
