using Fleet.Hosting;
using Fleet.Registry.Catalog;

namespace Fleet.Registry.Rollouts;

/// <summary>Rollouts in the registry's process.</summary>
internal static class RolloutRegistration
{
    public static IServiceCollection AddRollouts(this IServiceCollection services)
    {
        services.AddFleetOptions<RolloutOptions>(RolloutOptions.Section);
        services.AddSingleton<RolloutEvidence>();
        services.AddSingleton<RunningRollouts>();
        services.AddSingleton<RolloutWriter>();
        services.AddSingleton<RolloutStart>();
        services.AddSingleton<RolloutOverrides>();
        services.AddSingleton<RolloutReport>();
        services.AddSingleton<TrafficReports>();
        services.AddSingleton<WatchLoop>();
        services.AddSingleton<ControllerLease>();
        services.AddSingleton<RolloutController>();
        services.AddHostedService(provider => provider.GetRequiredService<RolloutController>());
        services.AddSingleton<IVersionReferences, RolloutReferences>();
        return services;
    }

    public static void MapRollouts(this WebApplication app)
    {
        app.MapGrpcService<RolloutsService>();
        app.MapGrpcService<TrafficService>();
    }
}
