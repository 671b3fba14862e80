using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Diff;

/// <summary>A model on this machine as a push would publish it.</summary>
public sealed class LocalContent : IModelContent
{
    private readonly PushPlan plan;

    private LocalContent(PushPlan plan) => this.plan = plan;

    /// <inheritdoc/>
    public Manifest Manifest => plan.Manifest;

    internal IReadOnlyDictionary<Digest, SourcePart> Parts => plan.Parts;

    /// <summary>Chooses the files at a path as a push does, and hashes them.</summary>
    /// <exception cref="ModelSourceException">There is no model at the path.</exception>
    public static async Task<LocalContent> ReadAsync(
        string path,
        IReadOnlyList<string>? configFolders = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var source = new ModelSource(notice => progress?.Report(new TransferProgress(TransferStage.Hashing, 0, 0, notice)));
        return new LocalContent(await PushPlan.MakeAsync(source.Find(path, configFolders ?? []), progress, cancellationToken));
    }

    /// <inheritdoc/>
    public Stream Open(Digest part, long size)
    {
        var place = plan.Parts[part];
        var file = new FileStream(place.FullPath, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
        file.Position = place.Offset;
        return file;
    }
}
