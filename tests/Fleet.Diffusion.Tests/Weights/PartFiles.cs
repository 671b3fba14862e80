using System.Security.Cryptography;
using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.Diffusion.Tests.Weights;

/// <summary>Cuts a model's folder into parts by digest, as a version store keeps them.</summary>
internal static class PartFiles
{
    public static ModelParts Of(string folder, TemporaryFolder store)
    {
        var files = new Dictionary<string, IReadOnlyList<FilePart>>();
        foreach (string path in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            byte[] content = File.ReadAllBytes(path);
            var parts = Pieces(path, content.Length).Where(piece => piece.Length > 0).Select(piece => Store(content.AsSpan(piece.Start, piece.Length), store));
            files.Add(Path.GetRelativePath(folder, path), [.. parts]);
        }

        return new ModelParts(files);
    }

    private static IEnumerable<(int Start, int Length)> Pieces(string path, int length)
    {
        if (!path.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            return [(0, length)];
        }

        var header = SafetensorsHeader.Read(path);
        int start = (int)header.DataStart;
        return [(0, start), .. header.Entries.Select(entry => (start + (int)entry.Begin, (int)entry.ByteLength))];
    }

    private static FilePart Store(ReadOnlySpan<byte> bytes, TemporaryFolder store)
    {
        string digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        File.WriteAllBytes(store[digest], bytes);
        return new FilePart(digest, store[digest], bytes.Length);
    }
}
