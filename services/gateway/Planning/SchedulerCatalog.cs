using Fleet.Contracts.Denoiser.V1;
using Fleet.Gateway.Stages;
using Fleet.Hosting;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Planning;

/// <summary>The schedulers that the denoiser offers.</summary>
internal sealed partial class SchedulerCatalog(
    StageClients stages, IOptions<GatewayOptions> options, TimeProvider time, ILogger<SchedulerCatalog> logger)
{
    private readonly StaleCache<IReadOnlyList<SchedulerInfo>> lists = new(options.Value.ResolveCacheFor, capacity: 1, time);

    /// <exception cref="RpcException">The denoiser cannot be asked and never was.</exception>
    public Task<IReadOnlyList<SchedulerInfo>> ListAsync(CancellationToken cancellationToken) =>
        lists.GetAsync("", () => AskAsync(cancellationToken), e => Log.DenoiserDown(logger, e.Status.Detail));

    /// <summary>The scheduler of a name; for no name the first of the version's own class, null when it has none.</summary>
    /// <exception cref="InvalidRequestException">No scheduler has that name.</exception>
    public async Task<SchedulerInfo?> FindAsync(string name, string ownClass, CancellationToken cancellationToken)
    {
        var all = await ListAsync(cancellationToken);
        if (name is "")
        {
            return all.FirstOrDefault(scheduler => scheduler.ClassName == ownClass);
        }

        return all.FirstOrDefault(scheduler => scheduler.Name == name)
            ?? throw new InvalidRequestException("scheduler.name", name, $"give one of {string.Join(", ", all.Select(scheduler => scheduler.Name))}");
    }

    private async Task<IReadOnlyList<SchedulerInfo>> AskAsync(CancellationToken cancellationToken)
    {
        var deadline = time.GetUtcNow().UtcDateTime + options.Value.LookupTimeout;
        var response = await stages.Denoiser.ListSchedulersAsync(
            new ListSchedulersRequest(), deadline: deadline, cancellationToken: cancellationToken);
        return response.Schedulers;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The denoiser does not say which schedulers it has; its last answer is used: {Reason}")]
        public static partial void DenoiserDown(ILogger logger, string reason);
    }
}
