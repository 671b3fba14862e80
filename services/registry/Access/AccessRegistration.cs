using Fleet.Hosting;

namespace Fleet.Registry.Access;

/// <summary>Registers the check of tokens for all gRPC methods of the process.</summary>
internal static class AccessRegistration
{
    public static IServiceCollection AddAccess(this IServiceCollection services)
    {
        services.AddFleetOptions<AccessOptions>(AccessOptions.Section);
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<AccessInterceptor>();
        services.AddGrpc(grpc => grpc.Interceptors.Add<AccessInterceptor>());
        return services;
    }
}
