using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>Calls the stages for one job: with its deadline, and again while a stage cannot be reached or breaks off.</summary>
/// <param name="requestId">Id of the job.</param>
/// <param name="deadline">When the answer must be there; asked for anew at each try.</param>
/// <param name="attempts">Tries of each stage, the first included.</param>
/// <param name="options">How long to wait between them.</param>
internal sealed partial class StageCalls(
    string requestId, Func<DateTime> deadline, int attempts, GatewayOptions options, TimeProvider time, ILogger logger)
{
    public string RequestId => requestId;

    /// <summary>Set once the job has been accepted: from then on a full stage is waited for, because what was accepted is not lost.</summary>
    public bool Accepted { get; set; }

    /// <exception cref="RpcException">The stage refused, or failed too often; worded for callers.</exception>
    public async Task<T> RunAsync<T>(string stage, Func<CallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            var until = deadline();
            try
            {
                return await call(new CallOptions(deadline: until == DateTime.MaxValue ? null : until, cancellationToken: cancellationToken));
            }
            catch (RpcException e)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var delay = Delay(attempt, e);
                bool outOfTime = time.GetUtcNow().UtcDateTime + delay >= deadline();
                if (outOfTime || attempt >= attempts || !IsWorthRetrying(e))
                {
                    throw StageFailure.ForCallers(stage, e, attempt, outOfTime);
                }

                Log.Retrying(logger, requestId, stage, attempt, delay.TotalMilliseconds, e.Status.Detail);
                await Task.Delay(delay, time, cancellationToken);
            }
        }
    }

    private bool IsWorthRetrying(RpcException e) => StageFailure.IsOutage(e) || (Accepted && e.StatusCode == StatusCode.ResourceExhausted);

    private TimeSpan Delay(int attempt, RpcException e)
    {
        double doubled = options.StageRetryDelay.TotalMilliseconds * Math.Pow(2, attempt - 1);
        var backoff = TimeSpan.FromMilliseconds(Math.Min(doubled, options.MaxStageRetryDelay.TotalMilliseconds));
        var hint = StageFailure.RetryAfter(e);
        return hint > backoff ? hint : backoff;
    }

    private static partial class Log
    {
        [LoggerMessage(
            Level = LogLevel.Warning,
            Message = "Generation {RequestId}: the {Stage} failed at attempt {Attempt}, next one in {DelayMs:0} ms: {Reason}")]
        public static partial void Retrying(ILogger logger, string requestId, string stage, int attempt, double delayMs, string reason);
    }
}
