using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.Stages.Tests;

/// <summary>Copies of golden models, to be spoiled.</summary>
internal static class Copies
{
    /// <summary>Copies tests/golden/models/NAME below a folder; its path.</summary>
    public static string Of(string name, TemporaryFolder folder)
    {
        string source = Path.Combine(Repository.OwnGolden, "models", name);
        string copy = folder[name];
        foreach (string file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(copy, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return copy;
    }

    /// <summary>Overwrites the first bytes of a tensor in a safetensors file.</summary>
    public static void Overwrite(string safetensors, string tensor, byte[] bytes)
    {
        var header = SafetensorsHeader.Read(safetensors);
        using var file = File.OpenHandle(safetensors, access: FileAccess.Write);
        RandomAccess.Write(file, bytes, header.DataStart + header.Entries.Single(entry => entry.Name == tensor).Begin);
    }
}
