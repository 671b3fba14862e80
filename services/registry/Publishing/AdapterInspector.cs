using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;

namespace Fleet.Registry.Publishing;

/// <summary>Judges versions that are an adapter: one .safetensors file of a LoRA and no pipeline.</summary>
internal static class AdapterInspector
{
    /// <summary>What the adapter is, or null when the version is none. Throws <see cref="UnusableModelException"/> for a LoRA that is not whole.</summary>
    public static VersionTraits? Find(BundleFiles files)
    {
        string[] weights = [.. files.Paths.Where(path => path.EndsWith(".safetensors", StringComparison.Ordinal))];
        if (weights.Length != 1 || files.Has("model_index.json"))
        {
            return null;
        }

        var header = files.ReadHeader(weights[0]);
        return LoraFile.IsLora(header) ? TraitsOf(header, weights[0]) : null;
    }

    private static VersionTraits TraitsOf(SafetensorsHeader header, string file)
    {
        try
        {
            var lora = LoraFile.Read(header, file);
            var numbers = header.Entries.Where(BundleInspector.IsFloat).ToList();
            return new VersionTraits
            {
                Kind = "lora",
                Family = lora.Family,
                Rank = lora.Rank,
                EmbeddingWidth = lora.EmbeddingWidth,
                Parameters = numbers.Sum(BundleInspector.Elements),
                Dtype = numbers.GroupBy(entry => entry.DType).MaxBy(group => group.Sum(BundleInspector.Elements))?.Key.Token() ?? "",
            };
        }
        catch (SafetensorsFormatException exception)
        {
            throw new UnusableModelException(exception.File, exception.Fault);
        }
    }
}
