using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Rollouts;

/// <summary>
/// What a person orders. It is written by the replica that was asked, not by the one that holds the lease: an emergency does not wait for either.
/// The rollout's revision keeps both from deciding over the same state.
/// </summary>
internal sealed class RolloutOverrides(RegistryDatabase database, RolloutEvidence judges, RolloutWriter writer)
{
    private const int Attempts = 5;

    /// <exception cref="PreconditionException">The rollout's state does not allow it.</exception>
    public async Task ApplyAsync(string id, RolloutAction action, string reason, Actor actor, CancellationToken cancellation)
    {
        for (int attempt = 1; attempt <= Attempts; attempt++)
        {
            var rollout = (await database.ReadAsync(connection => RolloutTable.FindAsync(connection, id), cancellation))!;
            var transition = RolloutRules.Override(rollout.Progress, rollout.Plan, action, reason);
            var evidence = await judges.ReadAsync(rollout, cancellation);
            var replicas = await database.ReadAsync(connection => ReplicaTable.ListAsync(connection, id), cancellation);
            if (await database.WriteAsync(
                transaction => writer.ApplyAsync(transaction, rollout, transition, evidence, replicas, actor), cancellation))
            {
                return;
            }
        }

        throw new AbortedException($"rollout {id} changes too often to be changed by hand now");
    }
}
