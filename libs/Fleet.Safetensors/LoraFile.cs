using System.Text.RegularExpressions;

namespace Fleet.Safetensors;

/// <summary>A layer that a LoRA file changes, by the product of two matrices of <paramref name="Rank"/> columns and rows.</summary>
/// <param name="Name">As the file spells it, without what follows the layer.</param>
/// <param name="Rank">Rows of the first matrix, columns of the second.</param>
/// <param name="Inputs">Width of what the layer takes.</param>
/// <param name="Outputs">Width of what it gives.</param>
public sealed record LoraModule(string Name, int Rank, long Inputs, long Outputs);

/// <summary>
/// The layers of a LoRA file (Hu et al. 2021, arXiv:2106.09685), from its header. Three ways of naming are read: kohya's ("lora_unet_….lora_down.weight"
/// with ".alpha"), PEFT's ("….lora_A.weight") and that of older diffusers ("….to_k_lora.down.weight").
/// </summary>
public sealed partial class LoraFile
{
    private LoraFile(IReadOnlyList<LoraModule> modules, string family)
    {
        Modules = modules;
        Family = family;
    }

    /// <summary>The layers in order of name.</summary>
    public IReadOnlyList<LoraModule> Modules { get; }

    /// <summary>Family of the models that it fits: "sd1", "sd2", "sdxl" or "unknown".</summary>
    public string Family { get; }

    /// <summary>The largest rank.</summary>
    public int Rank => Modules.Max(module => module.Rank);

    /// <summary>Width of the embeddings that its cross-attention layers take; 0 when it has none.</summary>
    public int EmbeddingWidth => (int)(Modules.FirstOrDefault(IsCrossAttention)?.Inputs ?? 0);

    /// <summary>Whether a file holds matrices of a LoRA.</summary>
    public static bool IsLora(SafetensorsHeader header) => header.Entries.Any(entry => Matrix().IsMatch(entry.Name));

    /// <summary>Reads the layers.</summary>
    /// <exception cref="SafetensorsFormatException">A matrix is missing or of another shape, or a tensor is none of a LoRA; <paramref name="file"/> is named.</exception>
    public static LoraFile Read(SafetensorsHeader header, string file)
    {
        var first = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        var second = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
        var alphas = new List<string>();
        foreach (var entry in header.Entries)
        {
            var match = Matrix().Match(entry.Name);
            if (match.Success)
            {
                (match.Groups["side"].Value is "down" or "A" ? first : second)[match.Groups["module"].Value] = entry;
            }
            else if (entry.Name.EndsWith(".alpha", StringComparison.Ordinal) && entry.Shape.All(length => length == 1))
            {
                alphas.Add(entry.Name[..^".alpha".Length]);
            }
            else
            {
                throw new SafetensorsFormatException(file, $"'{entry.Name}' is no matrix of a LoRA; other kinds of adapters cannot be used");
            }
        }

        foreach (string lonely in first.Keys.Except(second.Keys).Concat(second.Keys.Except(first.Keys)).Concat(alphas.Except(first.Keys)))
        {
            throw new SafetensorsFormatException(file, $"the layer '{lonely}' lacks one of its two matrices");
        }

        var modules = first.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => ReadModule(pair.Key, pair.Value, second[pair.Key], file)).ToList();
        return modules.Count > 0
            ? new LoraFile(modules, FamilyOf(header, modules))
            : throw new SafetensorsFormatException(file, "holds no matrices of a LoRA");
    }

    private static LoraModule ReadModule(string name, SafetensorsEntry first, SafetensorsEntry second, string file)
    {
        bool fits = first.Shape.Count is 2 or 4 && second.Shape.Count == first.Shape.Count && first.Shape[0] == second.Shape[1] && first.Shape[0] > 0;
        return fits
            ? new LoraModule(name, checked((int)first.Shape[0]), first.Shape[1], second.Shape[0])
            : throw new SafetensorsFormatException(file,
                $"the matrices of '{name}' have the shapes [{string.Join(", ", first.Shape)}] and [{string.Join(", ", second.Shape)}], which do not multiply");
    }

    // What trainers write down, then what only SDXL has, then the width of the text that cross-attention reads.
    private static string FamilyOf(SafetensorsHeader header, List<LoraModule> modules)
    {
        string said = header.Metadata.GetValueOrDefault("ss_base_model_version") ?? header.Metadata.GetValueOrDefault("modelspec.architecture") ?? "";
        return said.ToLowerInvariant() switch
        {
            var text when text.StartsWith("sdxl", StringComparison.Ordinal) || text.Contains("-xl-", StringComparison.Ordinal) => "sdxl",
            var text when text.StartsWith("sd_v1", StringComparison.Ordinal) || text.StartsWith("stable-diffusion-v1", StringComparison.Ordinal) => "sd1",
            var text when text.StartsWith("sd_v2", StringComparison.Ordinal) || text.StartsWith("stable-diffusion-v2", StringComparison.Ordinal) => "sd2",
            _ when modules.Any(IsOfSecondTextEncoder) => "sdxl",
            _ => modules.FirstOrDefault(IsCrossAttention)?.Inputs switch { 768 => "sd1", 1024 => "sd2", 2048 => "sdxl", _ => "unknown" },
        };
    }

    private static bool IsOfSecondTextEncoder(LoraModule module) =>
        module.Name.StartsWith("lora_te2_", StringComparison.Ordinal) || module.Name.StartsWith("text_encoder_2.", StringComparison.Ordinal);

    private static bool IsCrossAttention(LoraModule module) =>
        module.Name.Contains("attn2", StringComparison.Ordinal) && module.Name.EndsWith("to_k", StringComparison.Ordinal);

    [GeneratedRegex(@"^(?<module>.+?)(\.lora_(?<side>down|up)|\.lora_(?<side>A|B)(\.\w+)?|(\.|_)lora\.(?<side>down|up)|\.lora_linear_layer\.(?<side>down|up))\.weight$")]
    private static partial Regex Matrix();
}
