using System.Data.Common;
using Fleet.Contracts.Registry;
using Fleet.Registry.Catalog;
using Fleet.Registry.Rollouts.Records;

namespace Fleet.Registry.Rollouts;

/// <summary>A version of a running rollout is not deleted.</summary>
internal sealed class RolloutReferences : IVersionReferences
{
    public async Task<IReadOnlyList<string>> FindAsync(DbTransaction transaction, string model, Digest version, CancellationToken cancellation)
    {
        var running = await RolloutTable.RunningAsync(transaction.Connection!, transaction);
        return
        [
            .. running.Where(rollout => rollout.Model == model && (rollout.Stable == version || rollout.Canary == version))
                .Select(rollout => $"rollout {rollout.Id}"),
        ];
    }
}
