using Fleet.Hosting;

namespace Fleet.Registry.Signatures;

internal static class SignatureRegistration
{
    public static IServiceCollection AddSignatures(this IServiceCollection services) => services
        .AddFleetOptions<SignatureOptions>(SignatureOptions.Section)
        .AddSingleton<SignatureChecks>()
        .AddSingleton<SignatureStore>()
        .AddSingleton<SignaturePolicy>();
}
