using Fleet.Gateway.Jobs;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>Calls the stages for one job: with its deadline, and again while a stage cannot be reached or breaks off.</summary>
internal sealed partial class StageCalls(GenerationJob job, GatewayOptions options, TimeProvider time, ILogger logger)
{
    /// <summary>Set once the job has been accepted: from then on a full stage is waited for, because what was accepted is not lost.</summary>
    public bool Accepted { get; set; }

    /// <exception cref="RpcException">The stage refused, or failed too often; worded for callers.</exception>
    public async Task<T> RunAsync<T>(string stage, Func<CallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            var deadline = job.Deadline;
            try
            {
                return await call(new CallOptions(deadline: deadline == DateTime.MaxValue ? null : deadline, cancellationToken: cancellationToken));
            }
            catch (RpcException e)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var delay = Delay(attempt, e);
                bool outOfTime = time.GetUtcNow().UtcDateTime + delay >= job.Deadline;
                if (outOfTime || attempt >= options.StageAttempts || !IsWorthRetrying(e))
                {
                    throw StageFailure.ForCallers(stage, e, attempt, outOfTime);
                }

                Log.Retrying(logger, job.RequestId, stage, attempt, delay.TotalMilliseconds, e.Status.Detail);
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
