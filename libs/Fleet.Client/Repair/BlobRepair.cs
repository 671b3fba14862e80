using Fleet.Client.Diff;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Repair;

/// <summary>What a registry found when it read its blobs again.</summary>
public sealed record BlobFindings(long Blobs, long Bytes, IReadOnlyList<Digest> Damaged, IReadOnlyList<Digest> Missing)
{
    /// <summary>Whether every blob is there and right.</summary>
    public bool AllRight => Damaged.Count == 0 && Missing.Count == 0;
}

/// <summary>What of the blobs that a registry lost could be given back to it.</summary>
public sealed record BlobRepairResult(int Restored, long RestoredBytes, IReadOnlyList<Digest> StillMissing);

/// <summary>Finds the blobs of a registry that were damaged or lost, and gives them back from elsewhere.</summary>
public static class BlobRepair
{
    /// <summary>Has the registry read the blobs of a version again, or all of them when it is empty.</summary>
    public static async Task<BlobFindings> FindAsync(
        RegistryClient registry, string version, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var (damaged, missing) = (new List<Digest>(), new List<Digest>());
        VerifyBlobsResponse? last = null;
        await foreach (var response in registry.VerifyBlobsAsync(version, cancellationToken))
        {
            last = response;
            damaged.AddRange(response.Damaged.Select(sha256 => Digest.FromBytes(sha256.Span)));
            missing.AddRange(response.Missing.Select(sha256 => Digest.FromBytes(sha256.Span)));
            progress?.Report(new TransferProgress(TransferStage.Verifying, response.Bytes, response.TotalBytes));
        }

        return last is { Done: true }
            ? new BlobFindings(last.Blobs, last.Bytes, damaged, missing)
            : throw new InvalidDataException("the registry stopped verifying before it was done");
    }

    /// <summary>Sends the registry those of the lost blobs that a source has: a model on this machine, or a version of another registry.</summary>
    public static async Task<BlobRepairResult> RestoreAsync(
        RegistryClient registry,
        IReadOnlyCollection<Digest> lost,
        IModelContent source,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var sizes = source.Manifest.Files.SelectMany(file => file.Parts)
            .GroupBy(part => Digest.FromBytes(part.Sha256.Span), part => part.Size)
            .ToDictionary(part => part.Key, part => part.First());
        var held = lost.Where(sizes.ContainsKey).ToList();
        string folder = Directory.CreateTempSubdirectory("fleet-repair-").FullName;
        try
        {
            var parts = new Dictionary<Digest, SourcePart>();
            foreach (var digest in held)
            {
                string path = Path.Combine(folder, digest.Hex);
                await using (var stream = source.Open(digest, sizes[digest]))
                await using (var file = File.Create(path))
                {
                    await CopyAsync(stream, file, sizes[digest], cancellationToken);
                }

                parts[digest] = new SourcePart(digest, path, 0, sizes[digest]);
            }

            await registry.UploadAsync(parts, progress, cancellationToken);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return new BlobRepairResult(held.Count, held.Sum(digest => sizes[digest]), [.. lost.Where(digest => !sizes.ContainsKey(digest))]);
    }

    // A part of a local file is followed by others.
    private static async Task CopyAsync(Stream from, Stream to, long size, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[PartHashing.FrameBytes];
        for (long left = size; left > 0;)
        {
            int count = await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), cancellationToken);
            if (count == 0)
            {
                throw new EndOfStreamException($"the source ended {left} bytes too early");
            }

            await to.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            left -= count;
        }
    }
}
