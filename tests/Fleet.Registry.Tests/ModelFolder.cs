using System.Text.Json.Nodes;
using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.Registry.Tests;

/// <summary>A copy of the golden set's small Stable Diffusion 1 model that a test may change.</summary>
internal sealed class ModelFolder
{
    public const string Unet = "unet/diffusion_pytorch_model.safetensors";

    public ModelFolder(string path)
    {
        FullPath = path;
        string source = Path.Combine(Repository.OwnGolden, "models", "sd1");
        foreach (string file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            string copy = this[Path.GetRelativePath(source, file)];
            _ = Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    public string FullPath { get; }

    public string this[string file] => Path.Combine(FullPath, file);

    /// <summary>Sets a key of a JSON file, or removes it when the value is null.</summary>
    public ModelFolder Set(string file, string key, JsonNode? value)
    {
        var json = JsonNode.Parse(File.ReadAllText(this[file]))!.AsObject();
        _ = json.Remove(key);
        if (value is not null)
        {
            json[key] = value;
        }

        File.WriteAllText(this[file], json.ToJsonString());
        return this;
    }

    public ModelFolder Delete(string file)
    {
        File.Delete(this[file]);
        return this;
    }

    public ModelFolder Write(string file, ReadOnlySpan<byte> content)
    {
        File.WriteAllBytes(this[file], content);
        return this;
    }

    /// <summary>Changes one byte of one tensor.</summary>
    public ModelFolder ChangeTensor(string file, int index)
    {
        var header = SafetensorsHeader.Read(this[file]);
        byte[] content = File.ReadAllBytes(this[file]);
        content[header.DataStart + header.Entries[index].Begin] ^= 0x01;
        return Write(file, content);
    }
}
