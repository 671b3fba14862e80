namespace Fleet.Diffusion.Weights;

/// <summary>A part of a file: the SHA-256 of its bytes in hexadecimal, where they lie, how many they are.</summary>
public sealed record FilePart(string Digest, string Location, long Size);

/// <summary>
/// A model's files as parts by digest, which other models may share: a .safetensors file is its header and one part for each tensor that is
/// not empty, any other file is one part, or none when it is empty.
/// </summary>
/// <param name="files">The parts of each file, in order, by path.</param>
public sealed class ModelParts(IReadOnlyDictionary<string, IReadOnlyList<FilePart>> files) : IModelFiles
{
    /// <inheritdoc/>
    public IReadOnlyCollection<string> Paths { get; } = files.Keys.ToHashSet(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Describe(string path) => path;

    /// <inheritdoc/>
    public string Locate(string path) => files.GetValueOrDefault(path) is [var whole] ? whole.Location : throw new FileNotFoundException($"There is no file {path} of one part.");

    /// <inheritdoc/>
    public SafetensorsFile Open(string path) => SafetensorsFile.Join(path, files[path]);
}
