using System.Buffers;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;

namespace Fleet.Contracts.Registry;

/// <summary>The canonical form of a manifest, whose digest is the name of the version; see registry.proto.</summary>
public static class ManifestForm
{
    /// <summary>Most files in a version.</summary>
    public const int MaxFiles = 10_000;

    /// <summary>Most bytes of a canonical manifest: room for some 40,000 tensors, and below the limit of one message.</summary>
    public const int MaxBytes = 2 * 1024 * 1024;

    /// <summary>Most bytes of a part.</summary>
    public const long MaxPartBytes = 64L * 1024 * 1024 * 1024;

    /// <summary>Most characters of a path.</summary>
    public const int MaxPathLength = 255;

    private static readonly SearchValues<char> PathCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/- ");

    /// <summary>A copy in canonical form. Throws <see cref="ManifestFormatException"/> naming what is not as registry.proto says.</summary>
    public static Manifest Canonical(Manifest manifest)
    {
        int files = manifest.Files.Count;
        Require(files is > 0 and <= MaxFiles, "manifest.files", files, $"give 1 to {MaxFiles} files");

        var canonical = new Manifest();
        var paths = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var file in manifest.Files.OrderBy(f => f.Path, StringComparer.Ordinal))
        {
            Require(IsPath(file.Path), "manifest.files.path", file.Path,
                "give a relative path of at most 255 characters of [A-Za-z0-9._/-] and space, without empty, '.' or '..' parts");
            Require(paths.Add(file.Path), "manifest.files.path", file.Path, "list each path once: case alone does not tell two paths apart");
            canonical.Files.Add(Canonical(file));
        }

        foreach (string path in paths)
        {
            string? folder = Folders(path).FirstOrDefault(paths.Contains);
            Require(folder is null, "manifest.files.path", path, $"rename one: '{folder}' is a file and cannot be a folder too");
        }

        int bytes = canonical.CalculateSize();
        Require(bytes <= MaxBytes, "manifest", $"{bytes} bytes", $"keep it to {MaxBytes} bytes");
        return canonical;
    }

    /// <summary>The digest that names the version, of a manifest in canonical form.</summary>
    public static Digest DigestOf(Manifest canonical) => Digest.Of(canonical.ToByteArray());

    private static ManifestFile Canonical(ManifestFile file)
    {
        string field = $"manifest.files['{file.Path}']";
        Require(file.Sha256.Length == Digest.Bytes, $"{field}.sha256", $"{file.Sha256.Length} bytes", "give the 32 bytes of a SHA-256 digest");

        var canonical = new ManifestFile { Path = file.Path, Size = file.Size, Sha256 = file.Sha256 };
        long size = 0;
        foreach (var part in file.Parts)
        {
            Require(part.Sha256.Length == Digest.Bytes, $"{field}.parts.sha256", $"{part.Sha256.Length} bytes", "give the 32 bytes of a SHA-256 digest");
            Require(part.Size is > 0 and <= MaxPartBytes, $"{field}.parts.size", part.Size, $"give 1 to {MaxPartBytes} bytes");
            canonical.Parts.Add(new ManifestPart { Sha256 = part.Sha256, Size = part.Size });
            size += part.Size; // cannot overflow: a message holds fewer than 2^20 parts of at most 2^36 bytes
        }

        Require(file.Size == size, $"{field}.size", file.Size, $"its parts have {size} bytes together");
        return canonical;
    }

    private static bool IsPath(string path) =>
        path.Length is > 0 and <= MaxPathLength
        && !path.AsSpan().ContainsAnyExcept(PathCharacters)
        && path.Split('/').All(part => part is not ("" or "." or ".."));

    private static IEnumerable<string> Folders(string path)
    {
        for (int slash = path.IndexOf('/'); slash > 0; slash = path.IndexOf('/', slash + 1))
        {
            yield return path[..slash];
        }
    }

    private static void Require(bool condition, string field, object value, string remedy)
    {
        if (!condition)
        {
            throw new ManifestFormatException(field, value, remedy);
        }
    }
}
