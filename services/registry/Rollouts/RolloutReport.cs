using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Rollouts;

/// <summary>Rollouts as messages.</summary>
internal sealed class RolloutReport(RegistryDatabase database, RolloutEvidence judges)
{
    /// <summary>What the rollout's own row says: no counts, tests, replicas or verdicts.</summary>
    public static Rollout Brief(RolloutRecord rollout)
    {
        var traffic = rollout.Traffic;
        return new Rollout
        {
            Id = rollout.Id,
            Model = rollout.Model,
            Stable = rollout.Stable.Version,
            Canary = rollout.Canary.Version,
            Plan = rollout.Plan,
            State = rollout.State,
            Step = rollout.Progress.Step,
            Percent = traffic.Percent,
            ShadowPercent = traffic.Shadow,
            CreatedAt = rollout.CreatedAt.ToTimestamp(),
            StepBeganAt = rollout.StepBeganAt?.ToTimestamp(),
            EndedAt = rollout.EndedAt?.ToTimestamp(),
            Reason = rollout.Reason,
            Revision = rollout.Revision,
            Actor = rollout.Actor,
        };
    }

    /// <summary>All of it.</summary>
    public async Task<Rollout> FullAsync(RolloutRecord rollout, CancellationToken cancellation)
    {
        var message = Brief(rollout);
        message.MergeFrom(rollout.Running
            ? await EvidenceOfAsync(rollout, cancellation)
            : await database.ReadAsync(connection => RolloutTable.ClosingAsync(connection, rollout.Id), cancellation));
        message.Verdicts.AddRange(await database.ReadAsync(connection => VerdictTable.ListAsync(connection, rollout.Id), cancellation));
        return message;
    }

    private async Task<Rollout> EvidenceOfAsync(RolloutRecord rollout, CancellationToken cancellation)
    {
        var evidence = await judges.ReadAsync(rollout, cancellation);
        var replicas = await database.ReadAsync(connection => ReplicaTable.ListAsync(connection, rollout.Id), cancellation);
        return evidence.ToMessage(replicas);
    }
}
