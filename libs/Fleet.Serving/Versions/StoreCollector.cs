using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Hosting.Files;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Serving.Versions;

/// <summary>
/// Keeps a store below its limit: parts that no version here has go first, then those of versions that no process uses, the longest unused first.
/// Versions in use keep all their parts.
/// </summary>
internal sealed partial class StoreCollector(StoreFolder folder, long maxBytes, ILogger logger)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    /// <summary>Makes room for so many bytes more.</summary>
    /// <exception cref="PreconditionException">They are more than the limit.</exception>
    /// <exception cref="OverloadedException">What is in use leaves no room for them.</exception>
    public async Task MakeRoomAsync(long bytes, CancellationToken cancellation)
    {
        if (maxBytes == 0)
        {
            return;
        }

        if (bytes > maxBytes)
        {
            throw new PreconditionException($"The version needs {bytes} bytes more on disk, and Store:MaxBytes is {maxBytes}.");
        }

        using var holding = await HeldFile.HoldAsync(folder.CollectorHold, cancellation);
        long held = folder.Parts.Concat(folder.Arriving).Sum(part => part.Length);
        if (held + bytes > maxBytes)
        {
            held -= await RemoveAsync(held + bytes - maxBytes, cancellation);
        }

        if (held + bytes > maxBytes)
        {
            throw new OverloadedException(
                $"The version needs {bytes} bytes more on disk, and versions in use take {held} of the {maxBytes} that Store:MaxBytes allows.", RetryAfter);
        }
    }

    // The bytes that were freed.
    private async Task<long> RemoveAsync(long wanted, CancellationToken cancellation)
    {
        var kept = new Dictionary<string, int>(); // how many versions have a part
        var unused = new List<UnusedVersion>();
        try
        {
            foreach (string version in folder.Versions)
            {
                string[] parts = folder.ReadManifest(version) is { } manifest ? PartsOf(manifest) : [];
                Array.ForEach(parts, digest => kept[digest] = kept.GetValueOrDefault(digest) + 1);
                if (ExclusiveFile.TryOpen(folder.UseHold(version)) is { } holding)
                {
                    unused.Add(new UnusedVersion(version, parts, holding, File.GetLastWriteTimeUtc(folder.UseHold(version))));
                }
            }

            long freed = 0;
            foreach (var orphan in folder.Parts.Concat(folder.Arriving).Where(part => !kept.ContainsKey(part.Name)).ToList())
            {
                freed += await RemoveAsync(orphan, cancellation);
            }

            foreach (var version in unused.OrderBy(version => version.LastUsed).TakeWhile(_ => freed < wanted))
            {
                Log.Removing(logger, version.Version);
                foreach (string digest in version.Parts)
                {
                    if (--kept[digest] > 0)
                    {
                        continue;
                    }

                    freed += await RemoveAsync(new FileInfo(folder.PartPath(digest)), cancellation);
                    freed += await RemoveAsync(new FileInfo(folder.ArrivingPath(digest)), cancellation);
                }

                File.Delete(folder.ManifestPath(version.Version));
            }

            return freed;
        }
        finally
        {
            unused.ForEach(version => version.Holding.Dispose());
        }
    }

    private async Task<long> RemoveAsync(FileInfo part, CancellationToken cancellation)
    {
        using var holding = await HeldFile.HoldAsync(folder.PartHold(part.Name), cancellation);
        part.Refresh();
        if (!part.Exists)
        {
            return 0;
        }

        long size = part.Length;
        part.Delete();
        return size;
    }

    private static string[] PartsOf(Manifest manifest) =>
        [.. manifest.Files.SelectMany(file => file.Parts).Select(part => Digest.FromBytes(part.Sha256.Span).Hex).Distinct()];

    private sealed record UnusedVersion(string Version, string[] Parts, SafeFileHandle Holding, DateTime LastUsed);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Removing {Version} from this machine to make room: it was unused for longest")]
        public static partial void Removing(ILogger logger, string version);
    }
}
