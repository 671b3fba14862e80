using System.Collections.Concurrent;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Microsoft.Extensions.Logging;

namespace Fleet.Serving.Versions;

/// <summary>The parts on this machine by digest. A part under parts/ is complete; its digest is checked when this process first uses it.</summary>
internal sealed partial class PartStore(StoreFolder folder, RegistryClient registry, StoreCollector collector, ILogger logger)
{
    private const int FetchedAtATime = 8;
    private const int MaxRounds = 3;

    private readonly ConcurrentDictionary<string, (long Length, DateTime Written)> verified = new(StringComparer.Ordinal);

    /// <summary>Sees to it that parts are here and right; the bytes that had to be fetched.</summary>
    public async Task<long> ProvideAsync(IReadOnlyList<ManifestPart> parts, CancellationToken cancellation)
    {
        var wanted = parts.DistinctBy(part => part.Sha256).Select(part => (Digest: Digest.FromBytes(part.Sha256.Span).Hex, Part: part)).ToList();
        long fetched = 0;
        for (int round = 0; round < MaxRounds; round++)
        {
            var missing = wanted.Where(part => !IsThere(part.Digest, part.Part.Size)).ToList();
            if (missing.Count > 0)
            {
                await collector.MakeRoomAsync(missing.Sum(part => part.Part.Size), cancellation);
                await EachAsync(missing, FetchedAtATime, async (part, token) => Interlocked.Add(ref fetched, await FetchAsync(part.Digest, part.Part, token)), cancellation);
            }

            int damaged = 0;
            await EachAsync(wanted.Where(part => !IsVerified(part.Digest)), Environment.ProcessorCount, async (part, token) =>
            {
                if (!await VerifyAsync(part.Digest, part.Part, token))
                {
                    Interlocked.Increment(ref damaged);
                }
            }, cancellation);
            if (damaged == 0)
            {
                return fetched;
            }
        }

        throw new PreconditionException($"Parts on this machine's disk were damaged {MaxRounds} times in a row; the log names them.");
    }

    private static Task EachAsync<T>(IEnumerable<T> items, int atATime, Func<T, CancellationToken, ValueTask> work, CancellationToken cancellation) =>
        Parallel.ForEachAsync(items, new ParallelOptions { MaxDegreeOfParallelism = atATime, CancellationToken = cancellation }, work);

    private static ManifestFile AsFile(ManifestPart part) => new() { Size = part.Size, Sha256 = part.Sha256, Parts = { part } };

    private bool IsThere(string digest, long size)
    {
        var file = new FileInfo(folder.PartPath(digest));
        return file.Exists && file.Length == size;
    }

    private bool IsVerified(string digest)
    {
        var file = new FileInfo(folder.PartPath(digest));
        return file.Exists && verified.TryGetValue(digest, out var known) && known == (file.Length, file.LastWriteTimeUtc);
    }

    private async Task<long> FetchAsync(string digest, ManifestPart part, CancellationToken cancellation)
    {
        string path = folder.PartPath(digest);
        string arriving = folder.ArrivingPath(digest);
        using var holding = await HeldFile.HoldAsync(folder.PartHold(digest), cancellation);
        if (IsThere(digest, part.Size))
        {
            return 0; // another process was faster
        }

        if (File.Exists(path))
        {
            Log.Damaged(logger, path);
        }

        Log.Fetching(logger, digest, part.Size);
        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using (var destination = File.OpenHandle(arriving, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            await registry.DownloadAsync(AsFile(part), destination, cancellationToken: cancellation);
        }

        File.Move(arriving, path, overwrite: true);
        return part.Size;
    }

    // Reads the part back from the disk. Whoever has a damaged one open keeps it.
    private async Task<bool> VerifyAsync(string digest, ManifestPart part, CancellationToken cancellation)
    {
        string path = folder.PartPath(digest);
        var before = new FileInfo(path);
        if (RegistryClient.HasContent(path, AsFile(part), cancellation))
        {
            verified[digest] = (before.Length, before.LastWriteTimeUtc);
            return true;
        }

        using var holding = await HeldFile.HoldAsync(folder.PartHold(digest), cancellation);
        if (File.Exists(path) && !RegistryClient.HasContent(path, AsFile(part), cancellation))
        {
            Log.Damaged(logger, path);
            File.Delete(path);
        }

        return false;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Debug, Message = "Fetching part {Digest}, {Bytes} bytes")]
        public static partial void Fetching(ILogger logger, string digest, long bytes);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} is damaged; it is discarded and fetched again")]
        public static partial void Damaged(ILogger logger, string path);
    }
}
