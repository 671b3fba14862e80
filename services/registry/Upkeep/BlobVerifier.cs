using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Fleet.Registry.Blobs;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Upkeep;

/// <summary>Reads and hashes stored blobs again. A damaged one is set aside; one that a version needs and the store lacks is missing.</summary>
internal sealed class BlobVerifier(RegistryDatabase database, BlobStore blobs)
{
    private const string SelectReferenced =
        "SELECT DISTINCT blob, manifest_blobs.size FROM manifest_blobs JOIN versions ON versions.digest = manifest_blobs.manifest WHERE ";

    /// <summary>Verifies the blobs of a version, or all blobs when <paramref name="version"/> is null.</summary>
    public async Task<Verification> BeginAsync(Digest? version, CancellationToken cancellationToken)
    {
        var found = version is { } one ? await BlobsOfAsync(one, cancellationToken) : await AllBlobsAsync(cancellationToken);
        return new Verification(found, verification => RunAsync(verification, cancellationToken));
    }

    private async Task RunAsync(Verification verification, CancellationToken cancellationToken)
    {
        foreach (var blob in verification.Blobs)
        {
            verification.AddBlob(blob.Digest, await VerifyAsync(blob.Digest, verification.AddBytes, cancellationToken));
        }
    }

    private async Task<BlobCondition> VerifyAsync(Digest digest, Action<int> onRead, CancellationToken cancellationToken)
    {
        try
        {
            await blobs.VerifyAsync(digest, onRead, cancellationToken);
            return BlobCondition.Intact;
        }
        catch (DamagedBlobException)
        {
            return BlobCondition.Damaged;
        }
        catch (NotFoundException)
        {
            var needed = await ReferencedAsync("blob = @Hex", digest.Hex, cancellationToken);
            return needed.Count > 0 ? BlobCondition.Missing : BlobCondition.Freed;
        }
    }

    private async Task<IReadOnlyList<StoredBlob>> BlobsOfAsync(Digest version, CancellationToken cancellationToken)
    {
        var found = await ReferencedAsync("manifest = @Hex", version.Hex, cancellationToken);
        return found.Count > 0 ? found : throw new NotFoundException($"the registry has no version {version.Version}");
    }

    private async Task<IReadOnlyList<StoredBlob>> AllBlobsAsync(CancellationToken cancellationToken)
    {
        var all = (await ReferencedAsync("@Hex = ''", "", cancellationToken)).ToDictionary(blob => blob.Digest);
        await foreach (var blob in blobs.ListAsync(cancellationToken))
        {
            _ = all.TryAdd(blob.Digest, blob);
        }

        return [.. all.Values];
    }

    private Task<IReadOnlyList<StoredBlob>> ReferencedAsync(string condition, string hex, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<StoredBlob>>(async connection =>
        {
            var rows = await connection.QueryAsync<(string Blob, long Size)>(SelectReferenced + condition, new { Hex = hex });
            return [.. rows.Select(row => Digest.TryParseHex(row.Blob, out var digest) ? new StoredBlob(digest, row.Size) : throw new FormatException(row.Blob))];
        }, cancellationToken);
}
