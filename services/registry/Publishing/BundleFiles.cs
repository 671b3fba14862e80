using System.Text.Json;
using System.Text.RegularExpressions;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Blobs;
using Fleet.Safetensors;

namespace Fleet.Registry.Publishing;

/// <summary>The files of a version that is about to be published, as far as they are read to judge it.</summary>
internal sealed class BundleFiles(BlobStore blobs, Manifest manifest)
{
    private const long MaxJsonBytes = 16 * 1024 * 1024;

    // Not backtracking: a publisher's file must not make this slow.
    private static readonly Regex StringsAndBareNumbers = new(@"""(\\.|[^""\\])*""|-?Infinity|NaN", RegexOptions.NonBacktracking);

    private readonly Dictionary<string, ManifestFile> files = manifest.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
    private readonly Dictionary<string, SafetensorsHeader> headers = new(StringComparer.Ordinal);

    public IEnumerable<string> Paths => manifest.Files.Select(file => file.Path);

    public bool Has(string path) => files.ContainsKey(path);

    /// <summary>The object that a JSON file holds; the bare numbers NaN and ±Infinity, which Python writes, read as null.</summary>
    public JsonElement ReadObject(string path)
    {
        var file = Find(path);
        if (file.Size > MaxJsonBytes)
        {
            throw new UnusableModelException(path, $"has {file.Size} bytes, where at most {MaxJsonBytes} are read");
        }

        using var stream = new PartStream(blobs, file);
        using var reader = new StreamReader(stream);
        string text = StringsAndBareNumbers.Replace(reader.ReadToEnd(), match => match.Value[0] == '"' ? match.Value : "null");
        try
        {
            var root = JsonElement.Parse(text);
            return root.ValueKind == JsonValueKind.Object
                ? root
                : throw new UnusableModelException(path, $"holds a JSON {root.ValueKind} where an object is needed");
        }
        catch (JsonException exception)
        {
            throw new UnusableModelException(path, $"is not valid JSON: {exception.Message}");
        }
    }

    /// <summary>The header of a .safetensors file.</summary>
    public SafetensorsHeader ReadHeader(string path)
    {
        if (headers.TryGetValue(path, out var known))
        {
            return known;
        }

        var file = Find(path);
        try
        {
            using var stream = new PartStream(blobs, file);
            var header = SafetensorsHeader.Read(stream, file.Size, path);
            RequirePartPerTensor(file, header);
            return headers[path] = header;
        }
        catch (SafetensorsFormatException exception)
        {
            throw new UnusableModelException(exception.File, exception.Fault);
        }
    }

    private static void RequirePartPerTensor(ManifestFile file, SafetensorsHeader header)
    {
        long[] sizes = [header.DataStart, .. header.Entries.Select(entry => entry.ByteLength).Where(size => size > 0)];
        if (!sizes.SequenceEqual(file.Parts.Select(part => part.Size)))
        {
            throw new UnusableModelException(file.Path, $"is not divided into its header and its {sizes.Length - 1} tensors; see registry.proto");
        }
    }

    private ManifestFile Find(string path) => files.GetValueOrDefault(path) ?? throw new UnusableModelException(path, "is missing");
}
