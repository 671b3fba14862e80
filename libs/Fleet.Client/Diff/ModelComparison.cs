using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Diff;

/// <summary>Compares two models by the digests of their tensors and files; only tensors that changed are read.</summary>
public static class ModelComparison
{
    private const int TensorsAtATime = 4;

    /// <summary>How <paramref name="b"/> differs from <paramref name="a"/>. Progress counts bytes of changed tensors on both sides.</summary>
    public static async Task<ModelDifference> CompareAsync(
        IModelContent a, IModelContent b, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var tensorsA = await TensorTable.ReadAsync(a, cancellationToken);
        var tensorsB = await TensorTable.ReadAsync(b, cancellationToken);
        var pairs = tensorsA.Keys.Union(tensorsB.Keys).Select(key => new Pair(key.Component, key.Name, tensorsA.Find(key), tensorsB.Find(key))).ToList();
        var different = pairs.Where(pair => !pair.IsEqual).ToList();

        var counter = new TransferCounter(TransferStage.Comparing, different.Sum(pair => pair.BytesToRead), progress);
        var found = new TensorDifference[different.Count];
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = TensorsAtATime };
        await Parallel.ForAsync(0, different.Count, options, async (i, token) =>
        {
            found[i] = await CompareAsync(different[i], a, b, token);
            counter.Add(different[i].BytesToRead);
        });

        var (blobsA, blobsB) = (Blobs(a.Manifest), Blobs(b.Manifest));
        return new ModelDifference(
            [.. found.OrderBy(Place).ThenByDescending(Weight).ThenBy(t => t.Component, StringComparer.Ordinal).ThenBy(t => t.Name, StringComparer.Ordinal)],
            Files(a.Manifest, b.Manifest, different.Count == 0),
            pairs.Count - different.Count,
            SharedBytes: blobsA.Where(blob => blobsB.ContainsKey(blob.Key)).Sum(blob => blob.Value),
            BytesOnlyInA: blobsA.Where(blob => !blobsB.ContainsKey(blob.Key)).Sum(blob => blob.Value),
            BytesOnlyInB: blobsB.Where(blob => !blobsA.ContainsKey(blob.Key)).Sum(blob => blob.Value));
    }

    private static async Task<TensorDifference> CompareAsync(Pair pair, IModelContent a, IModelContent b, CancellationToken cancellationToken)
    {
        TensorNorms? norms = null;
        if (pair is { CanBeMeasured: true, A: { Blob: { } blobA } before, B: { Blob: { } blobB } after })
        {
            await using var streamA = a.Open(blobA, before.Entry.ByteLength);
            await using var streamB = b.Open(blobB, after.Entry.ByteLength);
            norms = await NormCalculation.ComputeAsync(
                streamA, before.Entry.DType, streamB, after.Entry.DType, before.Entry.ByteLength / Safetensors.SafetensorsDTypes.ByteSize(before.Entry.DType),
                cancellationToken);
        }

        var change = pair.A is null ? Change.Added : pair.B is null ? Change.Removed : Change.Changed;
        return new TensorDifference(change, pair.Component, pair.Name, pair.A?.Form, pair.B?.Form, norms);
    }

    private static int Place(TensorDifference tensor) => tensor.Change switch { Change.Changed => 0, Change.Added => 1, _ => 2 };

    // Values that are no numbers, and changes that no number tells, are what a reader must see first.
    private static double Weight(TensorDifference tensor) =>
        tensor.Norms is { NotFinite: 0, Relative: { } relative } ? relative : double.PositiveInfinity;

    private static List<FileDifference> Files(Manifest a, Manifest b, bool sameTensors)
    {
        var filesA = a.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
        var filesB = b.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
        var differences = new List<FileDifference>();
        foreach (string path in filesA.Keys.Union(filesB.Keys).Order(StringComparer.Ordinal))
        {
            var (before, after) = (filesA.GetValueOrDefault(path), filesB.GetValueOrDefault(path));
            if (before?.Sha256 == after?.Sha256)
            {
                continue;
            }

            // A file of tensors that differs is told by its tensors, unless they are the same and only its header or its place is another.
            if (sameTensors || !TensorTable.Holds((before ?? after)!) || OnlyHeaderDiffers(before, after))
            {
                var change = before is null ? Change.Added : after is null ? Change.Removed : Change.Changed;
                differences.Add(new FileDifference(change, path, before?.Size, after?.Size));
            }
        }

        return differences;
    }

    private static bool OnlyHeaderDiffers(ManifestFile? before, ManifestFile? after) =>
        before is not null && after is not null && before.Parts.Skip(1).SequenceEqual(after.Parts.Skip(1));

    private static Dictionary<Digest, long> Blobs(Manifest manifest) => manifest.Files.SelectMany(file => file.Parts)
        .GroupBy(part => Digest.FromBytes(part.Sha256.Span), part => part.Size)
        .ToDictionary(sizes => sizes.Key, sizes => sizes.First());

    private sealed record Pair(string Component, string Name, StoredTensor? A, StoredTensor? B)
    {
        public bool IsEqual => A is not null && B is not null && A.Blob == B.Blob && A.Form.IsSame(B.Form);

        public bool CanBeMeasured => A is not null && B is not null
            && A.Entry.Shape.SequenceEqual(B.Entry.Shape)
            && NormCalculation.Knows(A.Entry.DType) && NormCalculation.Knows(B.Entry.DType);

        public long BytesToRead => CanBeMeasured ? A!.Entry.ByteLength + B!.Entry.ByteLength : 0;
    }
}
