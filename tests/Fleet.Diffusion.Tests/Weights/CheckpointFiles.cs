using System.Text.Json;
using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

/// <summary>Checkpoints for tests: copies of the small golden models with something changed.</summary>
internal static class CheckpointFiles
{
    public const string UNetWeights = "unet/diffusion_pytorch_model.safetensors";

    public const string VaeWeights = "vae/diffusion_pytorch_model.safetensors";

    public const string TextWeights = "text_encoder/model.safetensors";

    public static string Golden(string model) => Path.Combine(Repository.OwnGolden, "models", model);

    /// <summary>A copy of a golden model's folder, to be changed.</summary>
    public static TemporaryFolder Copy(string model)
    {
        var folder = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(Golden(model), "*", SearchOption.AllDirectories))
        {
            string target = folder[Path.GetRelativePath(Golden(model), file)];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return folder;
    }

    /// <summary>Writes a file again with changed tensors; a change may rename, drop (null) or replace.</summary>
    public static void Rewrite(string path, Func<string, Tensor, (string Name, Tensor Value)?> change)
    {
        var tensors = new List<(string Name, Tensor Value)>();
        using (var file = SafetensorsFile.Open(path))
        {
            foreach (var entry in file.Header.Entries)
            {
                if (change(entry.Name, file.Read(entry.Name)) is { } changed)
                {
                    tensors.Add(changed);
                }
            }
        }

        Write(path, tensors);
    }

    public static void Write(string path, IReadOnlyList<(string Name, Tensor Value)> tensors)
    {
        using var writer = new SafetensorsWriter(path, [.. tensors.Select(t => new SafetensorsDeclaration(t.Name, DTypeOf(t.Value), t.Value.shape))]);
        foreach (var (name, value) in tensors)
        {
            writer.Write(name, value.contiguous().bytes);
        }

        writer.Complete();
    }

    /// <summary>Writes the weights of a diffusers folder as one file in the original layout, with SD 2.x's text encoder if asked.</summary>
    public static void WriteSingleFile(string folder, string path, bool openClip)
    {
        var rows = new SortedDictionary<string, SortedDictionary<int, Tensor>>(StringComparer.Ordinal);
        foreach (var (component, weights) in new[] { ("unet", UNetWeights), ("vae", VaeWeights), ("text_encoder", TextWeights) })
        {
            using var file = SafetensorsFile.Open(Path.Combine(folder, weights));
            using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, component, "config.json")));
            var names = SingleFileLayout.Names(component, config.RootElement, TextHeader(openClip));
            foreach (var entry in file.Header.Entries.Where(e => !e.Name.EndsWith("position_ids", StringComparison.Ordinal)))
            {
                var original = names(entry.Name);
                rows.TryAdd(original.Name, []);
                rows[original.Name][original.Part] = file.Read(entry.Name);
            }
        }

        Write(path, [.. rows.Select(row => (row.Key, cat([.. row.Value.Values], 0)))]);
    }

    /// <summary>A header that says only which form a single file's text encoder has.</summary>
    public static SafetensorsHeader TextHeader(bool openClip) => Header(
        (openClip ? "cond_stage_model.model.ln_final.weight" : "cond_stage_model.transformer.text_model.final_layer_norm.weight", [4]));

    /// <summary>The header of a float16 file with these tensors, without the file.</summary>
    public static SafetensorsHeader Header(params (string Name, long[] Shape)[] tensors)
    {
        long end = 0;
        var json = new Dictionary<string, object>();
        foreach (var (name, shape) in tensors)
        {
            long begin = end;
            end += shape.Aggregate(2L, (bytes, length) => bytes * length);
            json[name] = new { dtype = "F16", shape, data_offsets = new[] { begin, end } };
        }

        byte[] text = JsonSerializer.SerializeToUtf8Bytes(json);
        using var stream = new MemoryStream([.. BitConverter.GetBytes((long)text.Length), .. text]);
        return SafetensorsHeader.Read(stream, stream.Length + end, "header");
    }

    public static void ChangeConfig(string path, string option, string value)
    {
        var config = JsonDocument.Parse(File.ReadAllText(path)).RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetRawText());
        config[option] = value;
        File.WriteAllText(path, $"{{{string.Join(",", config.Select(p => $"\"{p.Key}\":{p.Value}"))}}}");
    }

    private static SafetensorsDType DTypeOf(Tensor tensor) => tensor.dtype switch
    {
        ScalarType.Float32 => SafetensorsDType.F32,
        ScalarType.Float16 => SafetensorsDType.F16,
        ScalarType.BFloat16 => SafetensorsDType.BF16,
        ScalarType.Int8 => SafetensorsDType.I8,
        ScalarType.Int64 => SafetensorsDType.I64,
        _ => throw new ArgumentException($"{tensor.dtype} is not written by the tests.", nameof(tensor)),
    };
}
