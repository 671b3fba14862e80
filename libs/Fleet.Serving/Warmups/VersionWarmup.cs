using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;

namespace Fleet.Serving.Warmups;

/// <summary>
/// One version on its way to being ready: fetched, verified, loaded, tried on the device, and then kept until this is disposed. A failure is
/// reported and tried again after a while; an outage that will pass is no failure of the version.
/// </summary>
internal sealed partial class VersionWarmup<TModel> : IAsyncDisposable
    where TModel : IStageModel<TModel>
{
    private static readonly TimeSpan RetryFailedAfter = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RetryOutageAfter = TimeSpan.FromSeconds(5);
    private const int MaxRefusals = 4;

    private readonly string version;
    private readonly StageVersions<TModel> versions;
    private readonly ResidentModels<TModel> models;
    private readonly ITrialRun<TModel> trial;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Action changed;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task running;
    private volatile WarmupProgress progress = new() { State = ReplicaState.Fetching };

    public VersionWarmup(
        string version,
        StageVersions<TModel> versions,
        ResidentModels<TModel> models,
        ITrialRun<TModel> trial,
        TimeProvider time,
        ILogger logger,
        Action changed)
    {
        this.version = version;
        this.versions = versions;
        this.models = models;
        this.trial = trial;
        this.time = time;
        this.logger = logger;
        this.changed = changed;
        running = Task.Run(RunAsync);
    }

    /// <summary>How far it is, for a rollout that asked for it.</summary>
    public WarmupProgress ProgressOf(string rollout)
    {
        var copy = progress.Clone();
        copy.Rollout = rollout;
        copy.Version = version;
        return copy;
    }

    /// <summary>Stops it, or lets the version go.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        for (int refusals = 0; ;)
        {
            var wait = RetryFailedAfter;
            try
            {
                using var lease = await LoadAsync();
                await Task.Delay(Timeout.InfiniteTimeSpan, time, stopping.Token);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception outage) when (outage is UnavailableException || (outage is OverloadedException && ++refusals < MaxRefusals))
            {
                wait = RetryOutageAfter;
                Report(new WarmupProgress { State = progress.State, Detail = Shortened($"tried again soon: {outage.Message}") });
            }
            catch (Exception failure)
            {
                refusals = 0;
                Log.Failed(logger, failure, version);
                Report(new WarmupProgress { State = ReplicaState.Failed, Detail = Shortened(failure.Message) });
            }

            await Task.Delay(wait, time, stopping.Token);
        }
    }

    private async Task<ModelLease<TModel>> LoadAsync()
    {
        long start = time.GetTimestamp();
        Report(new WarmupProgress { State = ReplicaState.Fetching });
        using var files = await versions.FetchAsync(version, stopping.Token);

        Report(new WarmupProgress { State = ReplicaState.Loading, FetchedBytes = files.FetchedBytes });
        var lease = await models.AcquireAsync(version, stopping.Token);
        try
        {
            await trial.RunAsync(version, lease.Model, stopping.Token);
        }
        catch
        {
            lease.Dispose();
            throw;
        }

        var took = time.GetElapsedTime(start);
        Log.Ready(logger, version, lease.Report.AddedBytes, lease.Report.SharedBytes, files.FetchedBytes, (long)took.TotalMilliseconds);
        Report(new WarmupProgress
        {
            State = ReplicaState.Ready,
            AddedBytes = lease.Report.AddedBytes,
            SharedBytes = lease.Report.SharedBytes,
            FetchedBytes = files.FetchedBytes,
            Took = Duration.FromTimeSpan(took),
        });
        return lease;
    }

    private static string Shortened(string detail) => detail.Length <= 1000 ? detail : detail[..1000];

    private void Report(WarmupProgress next)
    {
        progress = next;
        changed();
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "{Version} is ready: {Added} bytes of weights added, {Shared} shared, {Fetched} fetched, in {Milliseconds} ms")]
        public static partial void Ready(ILogger logger, string version, long added, long shared, long fetched, long milliseconds);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Version} could not be made ready")]
        public static partial void Failed(ILogger logger, Exception exception, string version);
    }
}
