using System.Data.Common;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Rollouts;

/// <summary>Stores what gateways and stages report, and wakes the controller. What concerns a rollout that does not run is left out.</summary>
internal sealed class TrafficReports(RegistryDatabase database, RunningRollouts running, RolloutEvidence judges, TimeProvider time)
{
    /// <summary>Notes that a replica of a stage watches.</summary>
    public async Task SeenAsync(string stage, string replica, CancellationToken cancellation)
    {
        if (running.Records.Count > 0)
        {
            await WriteAsync(
                async (transaction, rollout) => await ReplicaTable.SeenAsync(transaction, rollout.Id, stage, replica, time.GetUtcNow()), cancellation);
        }
    }

    public async Task AddAsync(ReportReadinessRequest report, CancellationToken cancellation)
    {
        if (report.Progress.Count > 0)
        {
            await WriteAsync(
                async (transaction, rollout) =>
                {
                    if (report.Progress.LastOrDefault(progress => IsOfCanary(progress, rollout)) is { } progress)
                    {
                        await ReplicaTable.ReportAsync(transaction, rollout.Id, ReadinessOf(report, progress), time.GetUtcNow());
                    }
                },
                cancellation);
            judges.Arrived.Pulse();
        }
    }

    public async Task AddAsync(ReportOutcomesRequest report, CancellationToken cancellation)
    {
        await WriteAsync(
            async (transaction, rollout) =>
            {
                var outcomes = report.Outcomes.Where(outcome => outcome.Rollout == rollout.Id).ToList();
                var pairs = report.Pairs.Where((_, index) => report.PairRollouts[index] == rollout.Id).ToList();
                if (outcomes.Count + pairs.Count > 0 && await ObservationTable.AddReportAsync(transaction, rollout.Id, report.Reporter, report.Sequence))
                {
                    await AddAsync(transaction, rollout, outcomes, pairs);
                }
            },
            cancellation);
        judges.Arrived.Pulse();
    }

    private async Task AddAsync(DbTransaction transaction, RolloutRecord rollout, List<RequestOutcome> outcomes, List<Sample> pairs)
    {
        foreach (var outcome in outcomes)
        {
            await ObservationTable.AddAsync(transaction, outcome);
        }

        foreach (var pair in pairs)
        {
            await ObservationTable.AddAsync(transaction, rollout.Id, pair);
        }

        if (pairs.Count > 0)
        {
            await ObservationTable.PruneThumbnailsAsync(transaction, rollout.Id);
        }

        var answered = outcomes.Where(outcome => outcome.Arm == Arm.Canary && !outcome.Shadow).Select(outcome => outcome.At.ToDateTimeOffset()).ToList();
        if (rollout.FirstCanaryAt is null && answered.Count > 0)
        {
            await RolloutTable.SetFirstCanaryAsync(transaction, rollout.Id, answered.Append(time.GetUtcNow()).Min());
        }
    }

    // The rollouts are read again in the transaction: one that has ended meanwhile takes nothing more.
    private Task WriteAsync(Func<DbTransaction, RolloutRecord, Task> write, CancellationToken cancellation) => database.WriteAsync(
        async transaction =>
        {
            foreach (var rollout in await RolloutTable.RunningAsync(transaction.Connection!, transaction))
            {
                await write(transaction, rollout);
            }

            return true;
        },
        cancellation);

    private static bool IsOfCanary(WarmupProgress progress, RolloutRecord rollout) =>
        progress.Rollout == rollout.Id && progress.Version == rollout.Canary.Version;

    private static ReplicaReadiness ReadinessOf(ReportReadinessRequest report, WarmupProgress progress) => new()
    {
        Stage = report.Stage,
        Replica = report.Replica,
        State = progress.State,
        Detail = progress.Detail,
        AddedBytes = progress.AddedBytes,
        SharedBytes = progress.SharedBytes,
        FetchedBytes = progress.FetchedBytes,
        Took = progress.Took ?? new Google.Protobuf.WellKnownTypes.Duration(),
    };
}
