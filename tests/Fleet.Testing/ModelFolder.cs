using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Fleet.Safetensors;

namespace Fleet.Testing;

/// <summary>A copy of the golden set's small Stable Diffusion 1 model that a test may change.</summary>
public sealed class ModelFolder
{
    /// <summary>Weights of the denoiser.</summary>
    public const string Unet = "unet/diffusion_pytorch_model.safetensors";

    /// <summary>Weights of the autoencoder.</summary>
    public const string Vae = "vae/diffusion_pytorch_model.safetensors";

    /// <summary>Copies the model into a folder, which must not have one.</summary>
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

    /// <summary>The folder.</summary>
    public string FullPath { get; }

    /// <summary>Full path of a file of the model.</summary>
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

    /// <summary>Removes a file.</summary>
    public ModelFolder Delete(string file)
    {
        File.Delete(this[file]);
        return this;
    }

    /// <summary>Replaces a file's bytes.</summary>
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

    /// <summary>Changes the numbers of float32 tensors: of each whose name the choice takes, all its values.</summary>
    public ModelFolder ChangeNumbers(string file, Func<string, bool> choice, Func<float, float> change)
    {
        var header = SafetensorsHeader.Read(this[file]);
        byte[] content = File.ReadAllBytes(this[file]);
        foreach (var entry in header.Entries.Where(entry => choice(entry.Name)))
        {
            var numbers = MemoryMarshal.Cast<byte, float>(content.AsSpan((int)(header.DataStart + entry.Begin), (int)entry.ByteLength));
            for (int i = 0; i < numbers.Length; i++)
            {
                numbers[i] = change(numbers[i]);
            }
        }

        return Write(file, content);
    }
}
