namespace Fleet.Diffusion.Weights;

/// <summary>A model's files as they lie in a folder.</summary>
public sealed class ModelFolder : IModelFiles
{
    private readonly string folder;

    /// <summary>The files of an existing folder.</summary>
    public ModelFolder(string folder)
    {
        this.folder = Path.GetFullPath(folder);
        var twoLevels = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, AttributesToSkip = FileAttributes.None };
        Paths = Directory.EnumerateFiles(this.folder, "*", twoLevels)
            .Select(file => Path.GetRelativePath(this.folder, file).Replace('\\', '/'))
            .ToHashSet(StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Paths { get; }

    /// <inheritdoc/>
    public string Describe(string path) => Path.Combine(folder, path);

    /// <inheritdoc/>
    public string Locate(string path) => Paths.Contains(path) ? Path.Combine(folder, path) : throw new FileNotFoundException($"There is no file {Describe(path)}.");

    /// <inheritdoc/>
    public SafetensorsFile Open(string path) => SafetensorsFile.Open(Locate(path));
}
