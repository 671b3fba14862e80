using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Client.Registry;

/// <summary>Where the bytes of a blob are on this machine.</summary>
internal sealed record SourcePart(Digest Digest, string FullPath, long Offset, long Size);

/// <summary>The manifest of a model on this machine, and where the bytes of its blobs are.</summary>
internal sealed record PushPlan(Manifest Manifest, IReadOnlyDictionary<Digest, SourcePart> Parts)
{
    /// <summary>Reads all files once for their own digests and once for their parts', on all cores.</summary>
    public static async Task<PushPlan> MakeAsync(
        IReadOnlyList<SourceFile> files, IProgress<TransferProgress>? progress, CancellationToken cancellationToken)
    {
        var drafts = files.Select(Draft.Of).ToList();
        try
        {
            var ranges = drafts.SelectMany(draft => draft.Ranges()).OrderByDescending(range => range.Size).ToList();
            var counter = new TransferCounter(TransferStage.Hashing, ranges.Sum(range => range.Size), progress);
            var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
            await Parallel.ForEachAsync(ranges, options, (range, token) =>
            {
                range.Hash(counter, token);
                return ValueTask.CompletedTask;
            });

            var manifest = new Manifest();
            var parts = new Dictionary<Digest, SourcePart>();
            foreach (var draft in drafts)
            {
                manifest.Files.Add(draft.ToManifestFile());
                foreach (var part in draft.Parts)
                {
                    _ = parts.TryAdd(part.Digest, new SourcePart(part.Digest, draft.Source.FullPath, part.Offset, part.Size));
                }
            }

            return new PushPlan(ManifestForm.Canonical(manifest), parts);
        }
        finally
        {
            drafts.ForEach(draft => draft.Dispose());
        }
    }

    private sealed class Range(SafeFileHandle handle, long offset, long size)
    {
        public long Offset => offset;

        public long Size => size;

        public Digest Digest { get; private set; }

        public void Hash(TransferCounter counter, CancellationToken cancellationToken) =>
            Digest = PartHashing.Hash(handle, offset, size, counter, cancellationToken);
    }

    private sealed class Draft(SourceFile source, SafeFileHandle handle, Range whole, IReadOnlyList<Range> parts) : IDisposable
    {
        public SourceFile Source => source;

        public IReadOnlyList<Range> Parts => parts;

        public static Draft Of(SourceFile source)
        {
            var handle = File.OpenHandle(source.FullPath);
            long size = RandomAccess.GetLength(handle);
            var whole = new Range(handle, 0, size);
            return new Draft(source, handle, whole, source.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)
                ? TensorRanges(source, handle)
                : size == 0 ? [] : [whole]);
        }

        public IEnumerable<Range> Ranges() => parts.Append(whole).Distinct();

        public ManifestFile ToManifestFile()
        {
            var file = new ManifestFile { Path = source.Path, Size = whole.Size, Sha256 = whole.Digest.ToByteString() };
            file.Parts.AddRange(parts.Select(part => new ManifestPart { Sha256 = part.Digest.ToByteString(), Size = part.Size }));
            return file;
        }

        public void Dispose() => handle.Dispose();

        // The header and each tensor, in order: the format leaves no gaps, so together they are the file.
        private static List<Range> TensorRanges(SourceFile source, SafeFileHandle handle)
        {
            var header = SafetensorsHeader.Read(source.FullPath);
            return
            [
                new Range(handle, 0, header.DataStart),
                .. header.Entries.Where(entry => entry.ByteLength > 0)
                    .Select(entry => new Range(handle, header.DataStart + entry.Begin, entry.ByteLength)),
            ];
        }
    }
}
