using Microsoft.Extensions.DependencyInjection;

namespace Fleet.Client;

/// <summary>Registers the client with a service collection.</summary>
public static class FleetClientRegistration
{
    /// <summary>Adds one <see cref="FleetClient"/> for the whole process.</summary>
    /// <exception cref="ArgumentException">No address was set.</exception>
    public static IServiceCollection AddFleetClient(this IServiceCollection services, Action<FleetClientOptions> configure)
    {
        var options = new FleetClientOptions();
        configure(options);
        if (string.IsNullOrEmpty(options.Address))
        {
            throw new ArgumentException("Set FleetClientOptions.Address to the gateway's address.", nameof(configure));
        }

        return services.AddSingleton(_ => new FleetClient(options.Address, options));
    }
}
