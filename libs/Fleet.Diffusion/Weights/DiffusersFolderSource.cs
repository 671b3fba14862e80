using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fleet.Diffusion.Weights;

/// <summary>The diffusers layout: <c>&lt;component&gt;/config.json</c> with the weights beside it, whole or in shards, perhaps as a variant.</summary>
internal sealed partial class DiffusersFolderSource(IModelFiles files) : IComponentSource
{
    private static readonly string[] Stems = ["diffusion_pytorch_model", "model"];

    private readonly Dictionary<string, WeightFile> open = new(StringComparer.Ordinal);

    public IModelFiles Files => files;

    /// <summary>Whether any folder at the top holds a config with weights.</summary>
    public static bool HoldsWeights(IModelFiles files) => files.Paths
        .Where(path => path.EndsWith("/config.json", StringComparison.Ordinal))
        .Any(path => WeightNames(files, path[..path.LastIndexOf('/')]).Length > 0);

    public bool Has(string component) =>
        files.Paths.Contains(ConfigFile.PathOf(component)) && (component == "scheduler" || WeightNames(files, component).Length > 0);

    public JsonElement Config(string component)
    {
        string path = ConfigFile.PathOf(component);
        return files.Paths.Contains(path) ? ConfigFile.Read(files, path) : throw Missing(component, $"{files.Describe(path)} does not exist");
    }

    public (IReadOnlyDictionary<string, StoredTensor> Stored, IReadOnlyList<string> Unexpected) Weights(string component, IReadOnlySet<string> keys)
    {
        var stored = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        var unexpected = new List<string>();
        foreach (var file in WeightFiles(component))
        {
            foreach (var entry in file.Header.Entries)
            {
                string? key = DiffusersKeys.Current(entry.Name, keys);
                if (key is not null && !stored.TryAdd(key, new StoredTensor(file, entry)))
                {
                    unexpected.Add($"{entry.Name} (a second time, in {Path.GetFileName(file.Name)})");
                }
            }
        }

        return (stored, unexpected);
    }

    public void Dispose()
    {
        foreach (var file in open.Values)
        {
            file.Dispose();
        }
    }

    private IReadOnlyList<WeightFile> WeightFiles(string component)
    {
        string name = Choose(component, WeightNames(files, component));
        if (!IndexName().IsMatch(name))
        {
            return [Open($"{component}/{name}")];
        }

        var shards = Shards($"{component}/{name}");
        string[] missing = [.. shards.Where(shard => !files.Paths.Contains($"{component}/{shard}"))];
        return missing.Length == 0
            ? [.. shards.Select(shard => Open($"{component}/{shard}"))]
            : throw new CheckpointException($"{component}: {name} names shards that are not there: {string.Join(", ", missing)}.");
    }

    // The plain name before a variant, fp16 before other variants: a folder may hold several forms of the same weights.
    private static string Choose(string component, string[] names)
    {
        if (names.Length == 0)
        {
            throw Missing(component, "its folder holds no .safetensors weights (pickles such as .bin are not read; convert them with safetensors)");
        }

        return names.OrderBy(n => PlainName().IsMatch(n) ? 0 : n.Contains("fp16", StringComparison.Ordinal) ? 1 : 2).ThenBy(n => n, StringComparer.Ordinal).First();
    }

    // Whole files and indexes, not the shards that an index names.
    private static string[] WeightNames(IModelFiles files, string component) =>
    [
        .. files.Paths.Where(path => path.StartsWith($"{component}/", StringComparison.Ordinal)).Select(path => path[(component.Length + 1)..])
            .Where(n => Stems.Any(stem => n.StartsWith($"{stem}.", StringComparison.Ordinal)))
            .Where(n => IndexName().IsMatch(n) || (n.EndsWith(".safetensors", StringComparison.Ordinal) && !ShardName().IsMatch(n))),
    ];

    private List<string> Shards(string indexPath)
    {
        var index = ConfigFile.Read(files, indexPath);
        if (!index.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
        {
            throw new CheckpointException($"{files.Describe(indexPath)} has no weight_map.");
        }

        var shards = map.EnumerateObject().Select(entry => entry.Value.GetString() ?? "").Distinct(StringComparer.Ordinal).ToList();
        string? outside = shards.Find(shard => shard.Length == 0 || Path.GetFileName(shard) != shard);
        return outside is null
            ? shards
            : throw new CheckpointException($"{files.Describe(indexPath)} names the shard '{outside}'; a file name without folders is needed.");
    }

    private WeightFile Open(string path)
    {
        if (!open.TryGetValue(path, out var file))
        {
            file = new WeightFile(files.Open(path));
            open.Add(path, file);
        }

        return file;
    }

    private static CheckpointException Missing(string component, string detail) => new($"The checkpoint has no component '{component}': {detail}.");

    [GeneratedRegex(@"\.safetensors\.index(\.[A-Za-z0-9_-]+)?\.json$")]
    private static partial Regex IndexName();

    [GeneratedRegex(@"-\d{5}-of-\d{5}")]
    private static partial Regex ShardName();

    [GeneratedRegex(@"^\w+\.safetensors(\.index\.json)?$")]
    private static partial Regex PlainName();
}

/// <summary>Spellings of keys that writers of diffusers folders have used over time.</summary>
internal static class DiffusersKeys
{
    private static readonly (string Old, string New)[] OldAttention =
        [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];

    /// <summary>The parameter that a tensor belongs to, its own name where there is none, or null for a tensor that is no weight.</summary>
    public static string? Current(string name, IReadOnlySet<string> keys)
    {
        if (name.EndsWith("position_ids", StringComparison.Ordinal))
        {
            return null;
        }

        if (keys.Contains(name))
        {
            return name;
        }

        // Newer writers drop the prefix of the text model; autoencoders of 2022 spell their attention out.
        string prefixed = $"text_model.{name}";
        string renamed = OldAttention.Aggregate(name, (n, rename) => n.Replace(rename.Old, rename.New, StringComparison.Ordinal));
        return keys.Contains(prefixed) ? prefixed : keys.Contains(renamed) ? renamed : name;
    }
}
