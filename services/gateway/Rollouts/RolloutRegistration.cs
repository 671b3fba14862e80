namespace Fleet.Gateway.Rollouts;

/// <summary>What the gateway does with traffic that is split.</summary>
internal static class RolloutRegistration
{
    public static IServiceCollection AddRollouts(this IServiceCollection services) => services
        .AddSingleton<GatewayName>()
        .AddSingleton<GatewayLoad>()
        .AddSingleton<VersionChooser>()
        .AddSingleton<CanaryRescue>()
        .AddHosted<TrafficWatcher>()
        .AddHosted<OutcomeReporter>()
        .AddHosted<ShadowRuns>();

    private static IServiceCollection AddHosted<T>(this IServiceCollection services)
        where T : class, IHostedService => services.AddSingleton<T>().AddHostedService(provider => provider.GetRequiredService<T>());
}
