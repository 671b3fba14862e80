using System.Data.Common;
using System.Globalization;
using Dapper;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Blobs;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Upkeep;

/// <summary>Frees blobs that no version refers to and that no running push or pull needs; docs/decisions/0010 says why it is safe.</summary>
internal sealed class GarbageCollector(
    RegistryDatabase database, BlobStore blobs, UploadFolder uploads, BlobPins pins, AuditLog audit, TimeProvider time)
{
    private const int BatchSize = 250;
    private const int DeletionsAtATime = 16;

    // A batch deletes while it is the database's only writer. When its connection is lost another replica may write, which takes longer than this to notice.
    private static readonly TimeSpan MaxBatchTime = TimeSpan.FromSeconds(10);

    /// <summary>Frees blobs, and uploads that nobody has written to for <paramref name="uploadAge"/>; or says what would be freed.</summary>
    public async Task<CollectGarbageResponse> CollectAsync(bool dryRun, TimeSpan uploadAge, Actor actor, CancellationToken cancellationToken)
    {
        var unreferenced = await FindUnreferencedAsync(cancellationToken);
        var result = await FreeAsync(unreferenced, dryRun, cancellationToken);
        (result.Uploads, result.UploadBytes) = uploads.Collect(time.GetUtcNow() - uploadAge, dryRun);
        if (!dryRun)
        {
            _ = await database.WriteAsync(transaction => audit.AppendAsync(transaction, actor, AuditActions.CollectBlobs, "", "", new Dictionary<string, string>
            {
                ["blobs"] = result.Blobs.ToString(CultureInfo.InvariantCulture),
                ["bytes"] = result.BlobBytes.ToString(CultureInfo.InvariantCulture),
            }), cancellationToken);
        }

        return result;
    }

    /// <summary>Blobs that no version refers to now.</summary>
    public async Task<IReadOnlyList<StoredBlob>> FindUnreferencedAsync(CancellationToken cancellationToken)
    {
        var unreferenced = new List<StoredBlob>();
        await foreach (var batch in blobs.ListAsync(cancellationToken).Chunk(BatchSize).WithCancellation(cancellationToken))
        {
            var referenced = await database.ReadAsync(connection => ReadReferencedAsync(connection, null, batch), cancellationToken);
            unreferenced.AddRange(batch.Where(blob => !referenced.Contains(blob.Digest.Hex)));
        }

        return unreferenced;
    }

    /// <summary>Frees those of the blobs that are neither referred to nor pinned, and counts them.</summary>
    public async Task<CollectGarbageResponse> FreeAsync(IReadOnlyList<StoredBlob> unreferenced, bool dryRun, CancellationToken cancellationToken)
    {
        var result = new CollectGarbageResponse();
        foreach (var batch in unreferenced.Chunk(BatchSize))
        {
            var (freed, kept) = dryRun
                ? await database.ReadAsync(connection => DivideAsync(connection, null, batch), cancellationToken)
                : await database.WriteAsync(transaction => FreeAsync(transaction, batch, cancellationToken), cancellationToken);
            result.Blobs += freed.Count;
            result.BlobBytes += freed.Sum(blob => blob.Size);
            result.KeptBlobs += kept.Count;
            result.KeptBytes += kept.Sum(blob => blob.Size);
        }

        return result;
    }

    private async Task<(IReadOnlyList<StoredBlob> Free, IReadOnlyList<StoredBlob> Kept)> FreeAsync(
        DbTransaction transaction, StoredBlob[] batch, CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        var divided = await DivideAsync(transaction.Connection!, transaction, batch);
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = DeletionsAtATime };
        await Parallel.ForEachAsync(divided.Free, options, async (blob, token) =>
        {
            if (time.GetElapsedTime(start) > MaxBatchTime)
            {
                throw new UnavailableException("Freeing blobs was given up because it took too long; collect again.");
            }

            await blobs.DeleteAsync(blob.Digest, token);
        });
        return divided;
    }

    private async Task<(IReadOnlyList<StoredBlob> Free, IReadOnlyList<StoredBlob> Kept)> DivideAsync(
        DbConnection connection, DbTransaction? transaction, StoredBlob[] batch)
    {
        var referenced = await ReadReferencedAsync(connection, transaction, batch);
        var pinned = await pins.ReadAsync(connection, transaction);
        var unreferenced = batch.Where(blob => !referenced.Contains(blob.Digest.Hex)).ToLookup(blob => pinned.Contains(blob.Digest));
        return ([.. unreferenced[false]], [.. unreferenced[true]]);
    }

    private static async Task<HashSet<string>> ReadReferencedAsync(DbConnection connection, DbTransaction? transaction, StoredBlob[] batch)
    {
        // A list of its own for each number of blobs: "IN @Blobs" means something else to PostgreSQL's driver than to SQLite's.
        var parameters = new DynamicParameters();
        for (int i = 0; i < batch.Length; i++)
        {
            parameters.Add($"b{i}", batch[i].Digest.Hex);
        }

        string list = string.Join(", ", batch.Select((_, i) => $"@b{i}"));
        var hex = await connection.QueryAsync<string>(
            $"SELECT DISTINCT blob FROM manifest_blobs JOIN versions ON versions.digest = manifest_blobs.manifest WHERE blob IN ({list})",
            parameters, transaction);
        return [.. hex];
    }
}
