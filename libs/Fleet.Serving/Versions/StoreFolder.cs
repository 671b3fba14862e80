using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Serving.Versions;

/// <summary>Where things lie in a store's folder.</summary>
internal sealed class StoreFolder
{
    private readonly string root;

    public StoreFolder(string path)
    {
        root = Path.GetFullPath(path);
        foreach (string folder in (string[])["parts", "arriving", "manifests", "uses", "holds"])
        {
            _ = Directory.CreateDirectory(Path.Combine(root, folder));
        }
    }

    /// <summary>All parts that are complete.</summary>
    public IEnumerable<FileInfo> Parts => new DirectoryInfo(Path.Combine(root, "parts")).EnumerateFiles("*", SearchOption.AllDirectories);

    /// <summary>Parts on their way.</summary>
    public IEnumerable<FileInfo> Arriving => new DirectoryInfo(Path.Combine(root, "arriving")).EnumerateFiles();

    /// <summary>The versions whose manifests are here.</summary>
    public IEnumerable<string> Versions => Directory.EnumerateFiles(Path.Combine(root, "manifests")).Select(file => Path.GetFileName(file)!)
        .Where(name => Digest.TryParseHex(name, out _)).Select(hex => Digest.VersionPrefix + hex);

    /// <summary>Held by whoever removes parts.</summary>
    public string CollectorHold => Path.Combine(root, "holds", "collector");

    public string PartPath(string digest) => Path.Combine(root, "parts", digest[..2], digest);

    public string ArrivingPath(string digest) => Path.Combine(root, "arriving", digest);

    /// <summary>Held by whoever fetches or removes a part. One file for many parts: there are thousands of them.</summary>
    public string PartHold(string digest) => Path.Combine(root, "holds", digest[..2]);

    /// <summary>Held by all who use a version, and alone by who removes it.</summary>
    public string UseHold(string version) => Path.Combine(root, "uses", HexOf(version));

    public string ManifestPath(string version) => Path.Combine(root, "manifests", HexOf(version));

    /// <summary>The manifest of a version, or null when it is not here or not what its name says.</summary>
    public Manifest? ReadManifest(string version)
    {
        try
        {
            byte[] content = File.ReadAllBytes(ManifestPath(version));
            return Digest.Of(content).Version == version ? Manifest.Parser.ParseFrom(content) : null;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Removes what stores before this one kept: whole files of each version. True when there was any.</summary>
    public bool RemoveFormerLayout()
    {
        string old = Path.Combine(root, "versions");
        string aside = Path.Combine(root, $"former-{Guid.NewGuid():N}");
        try
        {
            Directory.Move(old, aside); // one of several processes succeeds
        }
        catch (DirectoryNotFoundException)
        {
            return false;
        }

        foreach (string folder in (string[])[aside, Path.Combine(root, "partial"), Path.Combine(root, "locks")])
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        return true;
    }

    private static string HexOf(string version) => version[Digest.VersionPrefix.Length..];
}
