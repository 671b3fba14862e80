using System.Data.Common;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Rollouts;

/// <summary>
/// The right to decide over rollouts, held by one replica of the registry. No two clocks are compared: a replica takes over when it has seen no beat
/// of the holder for <see cref="RolloutOptions.LeaseFor"/> by its own stopwatch, and every decision checks in its own transaction that the lease is
/// still held. Not for use by two threads at once.
/// </summary>
internal sealed class ControllerLease(RegistryDatabase database, TimeProvider time, IOptions<RolloutOptions> options)
{
    private readonly string holder = Guid.NewGuid().ToString("N");
    private long term; // 0: not held
    private long renewedAt;
    private LeaseRow? lastSeen;
    private long seenAt;

    public bool Held => term != 0;

    /// <summary>Takes the lease or keeps it. <paramref name="onBeat"/> writes in the transaction that says that the holder lives.</summary>
    public async Task<bool> HoldAsync(Func<DbTransaction, Task> onBeat, CancellationToken cancellation)
    {
        if (!Held)
        {
            return await TryTakeAsync(cancellation);
        }

        if (time.GetElapsedTime(renewedAt) >= options.Value.LeaseFor / 3)
        {
            long start = time.GetTimestamp();
            bool renewed = await database.WriteAsync(
                async transaction =>
                {
                    bool held = await LeaseTable.RenewAsync(transaction, holder, term);
                    if (held)
                    {
                        await onBeat(transaction);
                    }

                    return held;
                },
                cancellation);
            (term, renewedAt) = renewed ? (term, start) : (0, 0);
        }

        return Held;
    }

    /// <summary>Whether the lease is still held, as the transaction sees it.</summary>
    public Task<bool> IsHeldAsync(DbTransaction transaction) => LeaseTable.IsHeldAsync(transaction, holder, term);

    /// <summary>Lets another replica take over at once.</summary>
    public async Task ReleaseAsync(CancellationToken cancellation)
    {
        if (Held)
        {
            await database.WriteAsync(
                async transaction =>
                {
                    await LeaseTable.ReleaseAsync(transaction, holder, term);
                    return true;
                },
                cancellation);
            term = 0;
        }
    }

    private async Task<bool> TryTakeAsync(CancellationToken cancellation)
    {
        var now = await database.ReadAsync(LeaseTable.ReadAsync, cancellation);
        if (now != lastSeen)
        {
            (lastSeen, seenAt) = (now, time.GetTimestamp());
        }

        if (now.Holder != "" && time.GetElapsedTime(seenAt) < options.Value.LeaseFor)
        {
            return false;
        }

        long start = time.GetTimestamp();
        if (await database.WriteAsync(transaction => LeaseTable.TakeAsync(transaction, now, holder), cancellation))
        {
            (term, renewedAt) = (now.Term + 1, start);
        }

        return Held;
    }
}
