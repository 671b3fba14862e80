using System.Collections.Concurrent;
using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Blobs;

/// <summary>
/// Keeps garbage collection away from what running pushes and pulls need. A pin holds while its row is there, and only a collection removes a row
/// that has expired: who finds his row in a transaction knows that no collection freed his blobs.
/// </summary>
internal sealed class BlobPins(RegistryDatabase database, TimeProvider time)
{
    /// <summary>How long a push or pull may do nothing at all.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    // A renewal is a write; frames come by the thousand.
    private static readonly TimeSpan RenewalInterval = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<Digest, long> pulls = new();
    private readonly ConcurrentDictionary<Digest, byte> moved = new();
    private long renewedAt = time.GetTimestamp();

    /// <summary>The holder for a push. One without an id is known to nobody: its pins expire.</summary>
    public static string HolderOfPush(string id) => $"push {(id == "" ? Guid.NewGuid().ToString("N") : id)}";

    /// <summary>Pins blobs, stored or not, for a holder. What is found stored after this stays stored.</summary>
    public Task PinAsync(string holder, IEnumerable<Digest> digests, CancellationToken cancellationToken) => database.WriteAsync(
        transaction => transaction.Connection!.ExecuteAsync(
            "INSERT INTO blob_pins (holder, digests, expires_at) VALUES (@holder, @packed, @Expiry)",
            new { holder, packed = PinnedBlobs.Pack(digests), Expiry }, transaction), cancellationToken);

    /// <summary>Pins the blobs of a version that is about to be pulled; false when a pull has pinned them recently.</summary>
    public async Task<bool> PinPullAsync(Digest version, IEnumerable<Digest> digests, CancellationToken cancellationToken)
    {
        if (pulls.TryGetValue(version, out long pinned) && time.GetElapsedTime(pinned) < RenewalInterval)
        {
            return false;
        }

        long now = time.GetTimestamp();
        var row = new { holder = $"pull {version.Version}", packed = PinnedBlobs.Pack(digests), Expiry };
        _ = await database.WriteAsync(async transaction =>
        {
            var connection = transaction.Connection!;
            return await connection.ExecuteAsync("UPDATE blob_pins SET expires_at = @Expiry WHERE holder = @holder", row, transaction) > 0
                ? 0
                : await connection.ExecuteAsync(
                    "INSERT INTO blob_pins (holder, digests, expires_at) VALUES (@holder, @packed, @Expiry)", row, transaction);
        }, cancellationToken);
        pulls[version] = now;
        return true;
    }

    /// <summary>To be told of every blob that moves: the pins that hold it live on.</summary>
    public async ValueTask RenewAsync(Digest digest, CancellationToken cancellationToken)
    {
        moved[digest] = 0;
        long last = Interlocked.Read(ref renewedAt);
        if (time.GetElapsedTime(last) < RenewalInterval || Interlocked.CompareExchange(ref renewedAt, time.GetTimestamp(), last) != last)
        {
            return;
        }

        var digests = moved.Keys.ToHashSet();
        moved.Clear();
        _ = await database.WriteAsync(async transaction =>
        {
            var connection = transaction.Connection!;
            var pins = await connection.QueryAsync<PinRow>("SELECT id, digests FROM blob_pins", transaction: transaction);
            var ids = pins.Where(pin => PinnedBlobs.Unpack(pin.Digests).Any(digests.Contains)).Select(pin => new { pin.Id, Expiry });
            return await connection.ExecuteAsync("UPDATE blob_pins SET expires_at = @Expiry WHERE id = @Id", ids, transaction);
        }, cancellationToken);
    }

    /// <summary>Unpins, inside the transaction that needs the blobs no longer. Throws when the pin was lost, and with it maybe blobs.</summary>
    public static async Task ReleaseAsync(DbTransaction transaction, string holder)
    {
        if (await DropAsync(transaction, holder) == 0)
        {
            throw new AbortedException($"{holder} took so long that its blobs may have been collected; ask again which are missing");
        }
    }

    /// <summary>Unpins, if anything is pinned.</summary>
    public static Task<int> DropAsync(DbTransaction transaction, string holder) =>
        transaction.Connection!.ExecuteAsync("DELETE FROM blob_pins WHERE holder = @holder", new { holder }, transaction);

    /// <summary>Unpins for one that has failed, even when its caller has gone.</summary>
    public Task DropAsync(string holder) => database.WriteAsync(transaction => DropAsync(transaction, holder), CancellationToken.None);

    /// <summary>What is pinned. A collection that frees blobs reads this in its transaction, where expired pins end.</summary>
    public async Task<HashSet<Digest>> ReadAsync(DbConnection connection, DbTransaction? collecting)
    {
        var now = new { Now = time.GetUtcNow().ToUnixTimeMilliseconds() };
        if (collecting is not null)
        {
            _ = await connection.ExecuteAsync("DELETE FROM blob_pins WHERE expires_at <= @Now", now, collecting);
        }

        var rows = await connection.QueryAsync<byte[]>("SELECT digests FROM blob_pins WHERE expires_at > @Now", now, collecting);
        return [.. rows.SelectMany(PinnedBlobs.Unpack)];
    }

    private long Expiry => (time.GetUtcNow() + Lifetime).ToUnixTimeMilliseconds();

    private sealed class PinRow
    {
        public long Id { get; init; }

        public byte[] Digests { get; init; } = [];
    }
}
