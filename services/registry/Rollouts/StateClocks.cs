using System.Data.Common;
using Fleet.Registry.Rollouts.Records;

namespace Fleet.Registry.Rollouts;

/// <summary>
/// How long each running rollout has been in its state, by this process' stopwatch, so that the time of day may jump. What was measured is stored with
/// each beat of the lease, and the next holder goes on from there. Time in which nobody looked does not count: one look adds at most
/// <paramref name="most"/>.
/// </summary>
internal sealed class StateClocks(TimeProvider time, TimeSpan most)
{
    private readonly Dictionary<string, (long Revision, TimeSpan Elapsed)> clocks = [];
    private long lookedAt = time.GetTimestamp();

    /// <summary>To be called at each look.</summary>
    public void Advance()
    {
        long now = time.GetTimestamp();
        var passed = time.GetElapsedTime(lookedAt, now);
        lookedAt = now;
        foreach (var (rollout, clock) in clocks)
        {
            clocks[rollout] = clock with { Elapsed = clock.Elapsed + (passed < most ? passed : most) };
        }
    }

    public TimeSpan ElapsedOf(RolloutRecord rollout)
    {
        if (!clocks.TryGetValue(rollout.Id, out var clock) || clock.Revision != rollout.Revision)
        {
            clocks[rollout.Id] = clock = (rollout.Revision, rollout.Progress.Elapsed);
        }

        return clock.Elapsed;
    }

    /// <summary>Begins at nothing: the rollout has just left its state.</summary>
    public void Restart(RolloutRecord rollout) => clocks[rollout.Id] = (rollout.Revision + 1, TimeSpan.Zero);

    public async Task SaveAsync(DbTransaction transaction)
    {
        foreach (var (rollout, clock) in clocks)
        {
            await RolloutTable.SaveElapsedAsync(transaction, rollout, clock.Revision, clock.Elapsed);
        }
    }

    public void Forget() => clocks.Clear();
}
