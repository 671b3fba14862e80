namespace Fleet.Client.Registry;

/// <summary>
/// Where the links of a model's folder may lead: into the folder itself, and from a snapshot of the Hugging Face cache into the blobs beside it.
/// A folder that came from somebody else must not make a push send the keys of the one who pushes.
/// </summary>
internal sealed class LinkBounds
{
    private readonly string[] allowed;

    public LinkBounds(string folder)
    {
        string root = RealPath(folder);
        string? snapshots = Path.GetDirectoryName(root);
        allowed = Path.GetFileName(snapshots) == "snapshots" ? [root, Path.Combine(Path.GetDirectoryName(snapshots)!, "blobs")] : [root];
    }

    /// <summary>Throws <see cref="ModelSourceException"/> for a path that leads elsewhere.</summary>
    public void Require(string path)
    {
        string real = RealPath(path);
        if (!allowed.Any(folder => real.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)))
        {
            throw new ModelSourceException(path, $"is a link that leaves the model's folder, to {real}; put the file itself there");
        }
    }

    private static string RealPath(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not { } parent)
        {
            return full;
        }

        string here = Path.Combine(RealPath(parent), Path.GetFileName(full));
        return File.ResolveLinkTarget(here, returnFinalTarget: true) is { } target ? RealPath(target.FullName) : here;
    }
}
