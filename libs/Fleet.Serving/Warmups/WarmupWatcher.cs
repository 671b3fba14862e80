using System.Threading.Channels;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Fleet.Serving.Warmups;

/// <summary>This process as the registry knows it.</summary>
/// <param name="Stage">"encoder", "denoiser" or "decoder".</param>
/// <param name="Replica">Unique among the replicas of the stage.</param>
public sealed record StageReplica(string Stage, string Replica);

/// <summary>
/// Follows which versions running rollouts want loaded, sees to it that they are, and reports how far they are. While the registry cannot be
/// reached, what is loaded stays loaded.
/// </summary>
internal sealed partial class WarmupWatcher<TModel>(
    Traffic.TrafficClient traffic,
    StageReplica replica,
    StageVersions<TModel> versions,
    ResidentModels<TModel> models,
    ITrialRun<TModel> trial,
    TimeProvider time,
    ILogger<WarmupWatcher<TModel>> logger) : BackgroundService
    where TModel : IStageModel<TModel>
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ReportWithin = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, VersionWarmup<TModel>> warmups = []; // by version
    private readonly Channel<bool> changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private IReadOnlyList<Warmup> wanted = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.WhenAll(FollowAsync(stoppingToken), ReportAsync(stoppingToken));
        }
        finally
        {
            await ApplyAsync([]);
        }
    }

    private async Task FollowAsync(CancellationToken cancellation)
    {
        var wait = FirstWait;
        bool lost = false; // said once an outage
        while (true)
        {
            try
            {
                using var call = traffic.WatchWarmups(new WatchWarmupsRequest { Stage = replica.Stage, Replica = replica.Replica }, cancellationToken: cancellation);
                await foreach (var response in call.ResponseStream.ReadAllAsync(cancellation))
                {
                    wait = FirstWait;
                    lost = false;
                    await ApplyAsync(response.Warmups);
                }
            }
            catch (RpcException) when (cancellation.IsCancellationRequested)
            {
                return;
            }
            catch (RpcException exception) when (exception.StatusCode == StatusCode.Unimplemented)
            {
                Log.NoRollouts(logger);
                wait = LongestWait;
            }
            catch (RpcException exception)
            {
                if (!lost)
                {
                    Log.Lost(logger, exception.Status.Detail);
                }

                lost = true;
            }

            await Task.Delay(wait, time, cancellation);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    // Begins what is new on the list and lets go of what is not on it any more. A failed version that another rollout asks for begins anew.
    private async Task ApplyAsync(IReadOnlyList<Warmup> list)
    {
        List<VersionWarmup<TModel>> dropped = [];
        lock (gate)
        {
            var askedAnew = list.Except(wanted).Select(warmup => warmup.Version).ToHashSet();
            foreach (var (version, warmup) in warmups.ToList())
            {
                bool failed = warmup.ProgressOf("").State == ReplicaState.Failed;
                if (list.All(listed => listed.Version != version) || (failed && askedAnew.Contains(version)))
                {
                    warmups.Remove(version);
                    dropped.Add(warmup);
                }
            }

            wanted = [.. list];
            foreach (string version in list.Select(listed => listed.Version).Where(version => !warmups.ContainsKey(version)).Distinct().ToList())
            {
                warmups.Add(version, new VersionWarmup<TModel>(version, versions, models, trial, time, logger, () => changes.Writer.TryWrite(true)));
            }
        }

        foreach (var warmup in dropped)
        {
            await warmup.DisposeAsync();
        }

        changes.Writer.TryWrite(true);
    }

    private async Task ReportAsync(CancellationToken cancellation)
    {
        while (true)
        {
            await WaitForChangeAsync(cancellation);
            var report = new ReportReadinessRequest { Stage = replica.Stage, Replica = replica.Replica };
            lock (gate)
            {
                report.Progress.AddRange(wanted.Select(warmup => warmups[warmup.Version].ProgressOf(warmup.Rollout)));
            }

            if (report.Progress.Count == 0)
            {
                continue;
            }

            try
            {
                _ = await traffic.ReportReadinessAsync(report, deadline: DateTime.UtcNow + ReportWithin, cancellationToken: cancellation);
            }
            catch (RpcException) when (cancellation.IsCancellationRequested)
            {
                return;
            }
            catch (RpcException exception)
            {
                Log.NotReported(logger, exception.Status.Detail);
            }
        }
    }

    private async Task WaitForChangeAsync(CancellationToken cancellation)
    {
        using var due = new CancellationTokenSource(ReportEvery, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(due.Token, cancellation);
        try
        {
            _ = await changes.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Nothing changed; it is said again.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "The registry's rollouts cannot be followed; what is loaded stays, and it is tried again until it succeeds: {Detail}")]
        public static partial void Lost(ILogger logger, string detail);

        [LoggerMessage(Level = LogLevel.Debug, Message = "The registry knows no rollouts")]
        public static partial void NoRollouts(ILogger logger);

        [LoggerMessage(Level = LogLevel.Debug, Message = "The registry could not be told which versions are ready: {Detail}")]
        public static partial void NotReported(ILogger logger, string detail);
    }
}
