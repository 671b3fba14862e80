using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Stages;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Planning;

/// <summary>Asks the registry which version a model reference means. Known references go on working while the registry is down.</summary>
internal sealed partial class VersionResolver(
    StageClients stages, IOptions<GatewayOptions> options, TimeProvider time, ILogger<VersionResolver> logger)
{
    private readonly StaleCache<Version> versions = new(options.Value.ResolveCacheFor, capacity: 1024, time);

    /// <exception cref="RpcException">The registry knows no such version, or cannot be asked and never was.</exception>
    public Task<Version> ResolveAsync(string reference, CancellationToken cancellationToken) =>
        versions.GetAsync(reference, () => AskAsync(reference, cancellationToken), e => Log.RegistryDown(logger, reference, e.Status.Detail));

    private async Task<Version> AskAsync(string reference, CancellationToken cancellationToken)
    {
        var deadline = time.GetUtcNow().UtcDateTime + options.Value.LookupTimeout;
        var response = await stages.Registry.ResolveAsync(
            new ResolveRequest { Reference = reference }, deadline: deadline, cancellationToken: cancellationToken);
        return response.Version;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The registry does not answer; '{Reference}' keeps meaning what it did: {Reason}")]
        public static partial void RegistryDown(ILogger logger, string reference, string reason);
    }
}
