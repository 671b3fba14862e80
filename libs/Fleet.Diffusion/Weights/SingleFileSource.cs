using System.Text.Json;

namespace Fleet.Diffusion.Weights;

/// <summary>The original layout: one file with all components. Configs come from folders beside it, else from its shapes.</summary>
internal sealed class SingleFileSource : IComponentSource
{
    private readonly WeightFile file;
    private readonly Lazy<IReadOnlyDictionary<string, string>> inferred;

    public SingleFileSource(IModelFiles files, string name)
    {
        Files = files;
        file = new WeightFile(files.Open(name));
        inferred = new(() => SingleFileLayout.InferConfigs(file.Header));
    }

    public IModelFiles Files { get; }

    public bool Has(string component) =>
        component == "scheduler" ? Has("unet") : file.Header.Entries.Any(entry => SingleFileLayout.ComponentOf(entry.Name) == component);

    public JsonElement Config(string component)
    {
        string path = ConfigFile.PathOf(component);
        if (Files.Paths.Contains(path))
        {
            return ConfigFile.Read(Files, path);
        }

        return Has(component) && inferred.Value.TryGetValue(path, out string? config)
            ? ConfigFile.Parse(config)
            : throw new CheckpointException($"The checkpoint has no component '{component}': {file.Name} holds no tensors of it.");
    }

    public (IReadOnlyDictionary<string, StoredTensor> Stored, IReadOnlyList<string> Unexpected) Weights(string component, IReadOnlySet<string> keys)
    {
        var names = SingleFileLayout.Names(component, Config(component), file.Header);
        var stored = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (string key in keys)
        {
            var original = names(key);
            if (file.Header.Find(original.Name) is { } entry)
            {
                stored.Add(key, new StoredTensor(file, entry, original.Part, original.Parts, original.Transposed));
                used.Add(entry.Name);
            }
        }

        string[] unexpected =
        [
            .. file.Header.Entries.Select(entry => entry.Name)
                .Where(name => SingleFileLayout.ComponentOf(name) == component && !used.Contains(name) && !SingleFileLayout.IsLeftOver(name)),
        ];
        return (stored, unexpected);
    }

    public void Dispose() => file.Dispose();
}
