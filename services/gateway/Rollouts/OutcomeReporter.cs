using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Stages;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Rollouts;

/// <summary>
/// Tells the registry what became of the requests of models that are being rolled out: several together, a fault of a canary at once. A
/// report that did not get through is sent again under its number, so that it counts once.
/// </summary>
internal sealed partial class OutcomeReporter(
    StageClients stages,
    GatewayName name,
    IOptions<RolloutOptions> options,
    IOptions<GatewayOptions> gateway,
    TimeProvider time,
    ILogger<OutcomeReporter> logger)
    : BackgroundService
{
    private const int Many = 100; // entries that are reported without waiting for more
    private const int MostRefusals = 20; // tries of a report that the registry takes and fails on
    private static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private readonly ReportQueue queue = new(options.Value.MaxPendingOutcomes, options.Value.MaxPendingPairs);
    private readonly SemaphoreSlim filled = new(0);
    private readonly SemaphoreSlim urgent = new(0);
    private ReportOutcomesRequest? unsent;
    private long sequence;
    private long droppedBefore;

    /// <summary>Queues an outcome; null, of a request without a rollout, is none.</summary>
    public void Report(RequestOutcome? outcome)
    {
        if (outcome is null)
        {
            return;
        }

        outcome.At = Now();
        queue.Add(outcome);
        Signal(outcome is { Arm: Arm.Canary, Fault: not Fault.None });
    }

    /// <summary>Queues a pair of pictures that were compared.</summary>
    public void Report(string rollout, Sample pair)
    {
        pair.At = Now();
        queue.Add(rollout, pair);
        Signal(atOnce: false);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            while (NextReport() is { } report)
            {
                await SendAsync(report, LastWords, cancellationToken);
                unsent = null;
            }
        }
        catch (RpcException e)
        {
            Log.NotReported(logger, queue.Count, e.Status.Detail);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await filled.WaitAsync(stoppingToken);
            await urgent.WaitAsync(options.Value.ReportAfter, stoppingToken);
            Drain(filled);
            Drain(urgent);
            while (NextReport() is { } report)
            {
                await DeliverAsync(report, stoppingToken);
                unsent = null;
            }
        }
    }

    private void Signal(bool atOnce)
    {
        filled.Release();
        if (atOnce || queue.Count >= Many)
        {
            urgent.Release();
        }
    }

    // What was being sent goes first, under the number that it had.
    private ReportOutcomesRequest? NextReport()
    {
        if (unsent is null && queue.Take() is { } report)
        {
            report.Reporter = name.Value;
            report.Sequence = ++sequence;
            unsent = report;
        }

        return unsent;
    }

    private async Task DeliverAsync(ReportOutcomesRequest report, CancellationToken stoppingToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await SendAsync(report, gateway.Value.LookupTimeout, stoppingToken);
                return;
            }
            catch (RpcException e)
            {
                stoppingToken.ThrowIfCancellationRequested();
                if (!IsWorthRetrying(e, attempt))
                {
                    Log.Refused(logger, report.Outcomes.Count + report.Pairs.Count, e.Status.Detail);
                    return;
                }

                LogOutage(e, attempt);
                await Task.Delay(DelayAfter(attempt), time, stoppingToken);
            }
        }
    }

    private Task SendAsync(ReportOutcomesRequest report, TimeSpan limit, CancellationToken cancellationToken) => stages.Traffic
        .ReportOutcomesAsync(report, deadline: time.GetUtcNow().UtcDateTime + limit, cancellationToken: cancellationToken).ResponseAsync;

    private static bool IsWorthRetrying(RpcException e, int attempt) => e.StatusCode switch
    {
        StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.FailedPrecondition or StatusCode.Unimplemented => false,
        _ => StageFailure.IsOutage(e) || e.StatusCode == StatusCode.ResourceExhausted || attempt < MostRefusals,
    };

    private TimeSpan DelayAfter(int attempt)
    {
        var doubled = FirstRetryDelay * Math.Pow(2, Math.Min(attempt - 1, 20));
        return doubled < options.Value.MaxRetryDelay ? doubled : options.Value.MaxRetryDelay;
    }

    private void LogOutage(RpcException e, int attempt)
    {
        if (attempt == 1)
        {
            Log.RegistryDown(logger, e.Status.Detail);
        }

        long dropped = queue.Dropped;
        if (dropped > droppedBefore)
        {
            Log.Dropped(logger, dropped - droppedBefore);
            droppedBefore = dropped;
        }
    }

    private Timestamp Now() => Timestamp.FromDateTimeOffset(time.GetUtcNow());

    private static void Drain(SemaphoreSlim signals)
    {
        while (signals.Wait(0, CancellationToken.None))
        {
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The registry does not take reports of a rollout; they wait: {Reason}")]
        public static partial void RegistryDown(ILogger logger, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} outcomes were dropped, the oldest first: the registry has taken none for too long")]
        public static partial void Dropped(ILogger logger, long count);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The registry refused a report of {Count} outcomes, which is dropped: {Reason}")]
        public static partial void Refused(ILogger logger, int count, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "A report and {Count} further outcomes could not be reported before the end: {Reason}")]
        public static partial void NotReported(ILogger logger, int count, string reason);
    }
}
