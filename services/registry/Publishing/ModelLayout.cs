using System.Text.Json;
using Fleet.Safetensors;

namespace Fleet.Registry.Publishing;

/// <summary>
/// Where a version keeps the tensors of its components: in a diffusers folder, or in one checkpoint of the original layout beside
/// the components' configurations.
/// </summary>
internal sealed class ModelLayout
{
    private const string IndexFile = "model_index.json";

    private static readonly (string Component, string ClassName, string CheckpointPrefix)[] Networks =
    [
        ("text_encoder", "CLIPTextModel", "cond_stage_model."),
        ("unet", "UNet2DConditionModel", "model.diffusion_model."),
        ("vae", "AutoencoderKL", "first_stage_model."),
    ];

    private static readonly string[] Others = ["tokenizer", "scheduler"];

    // Parts of pipelines that no stage runs; a bundle may carry them.
    private static readonly string[] Unused = ["safety_checker", "feature_extractor", "image_encoder"];

    private readonly Dictionary<string, (string File, IReadOnlyList<SafetensorsEntry> Tensors)> components = new(StringComparer.Ordinal);

    private ModelLayout()
    {
    }

    /// <summary>A file of the component, to name in faults, and the component's tensors.</summary>
    public (string File, IReadOnlyList<SafetensorsEntry> Tensors) this[string component] => components[component];

    /// <summary>Tensors of all components.</summary>
    public IEnumerable<SafetensorsEntry> Tensors => components.Values.SelectMany(component => component.Tensors);

    public static ModelLayout Find(BundleFiles files)
    {
        if (files.Has(IndexFile))
        {
            return OfFolder(files);
        }

        string[] checkpoints = [.. files.Paths.Where(path => IsWeights(path) && !path.Contains('/', StringComparison.Ordinal))];
        return checkpoints.Length == 1
            ? OfCheckpoint(files, checkpoints[0])
            : throw new UnusableModelException(IndexFile,
                $"is missing, and there are {checkpoints.Length} .safetensors files beside it where one single-file checkpoint would do instead");
    }

    private static bool IsWeights(string path) => path.EndsWith(".safetensors", StringComparison.Ordinal);

    private static ModelLayout OfFolder(BundleFiles files)
    {
        RequireKnownPipeline(files.ReadObject(IndexFile));

        var layout = new ModelLayout();
        foreach (var (component, _, _) in Networks)
        {
            string folder = component + "/";
            string[] weights = [.. files.Paths.Where(path => path.StartsWith(folder, StringComparison.Ordinal) && IsWeights(path))];
            if (weights.Length == 0)
            {
                throw new UnusableModelException(folder, "has no .safetensors file");
            }

            RequireShards(files, folder);
            layout.components[component] = (weights[0], [.. weights.SelectMany(path => files.ReadHeader(path).Entries)]);
        }

        return layout;
    }

    private static ModelLayout OfCheckpoint(BundleFiles files, string checkpoint)
    {
        var header = files.ReadHeader(checkpoint);
        var layout = new ModelLayout();
        foreach (var (component, _, prefix) in Networks)
        {
            SafetensorsEntry[] tensors = [.. header.Entries.Where(entry => entry.Name.StartsWith(prefix, StringComparison.Ordinal))];
            layout.components[component] = tensors.Length > 0
                ? (checkpoint, tensors)
                : throw new UnusableModelException(checkpoint, $"has no tensors of the {component}: none begins with '{prefix}'");
        }

        return layout;
    }

    private static void RequireKnownPipeline(JsonElement index)
    {
        var classes = index.EnumerateObject()
            .Where(property => property.Value.ValueKind == JsonValueKind.Array && property.Value.GetArrayLength() == 2)
            .Where(property => property.Value[1].ValueKind == JsonValueKind.String)
            .ToDictionary(property => property.Name, property => property.Value[1].GetString()!, StringComparer.Ordinal);

        foreach (string component in Networks.Select(network => network.Component).Concat(Others))
        {
            Require(classes.ContainsKey(component), $"names no {component}");
        }

        foreach (var (component, className, _) in Networks)
        {
            Require(classes[component] == className, $"{component} is a {classes[component]}, where {className} can be served");
        }

        foreach (var (component, className) in classes)
        {
            bool known = Networks.Any(network => network.Component == component) || Others.Contains(component) || Unused.Contains(component);
            Require(known, $"{component} ({className}) belongs to a family of models that cannot be served");
        }
    }

    // A sharded component says in *.safetensors.index.json which file holds which tensor.
    private static void RequireShards(BundleFiles files, string folder)
    {
        foreach (string index in files.Paths.Where(path =>
            path.StartsWith(folder, StringComparison.Ordinal) && path.EndsWith(".safetensors.index.json", StringComparison.Ordinal)))
        {
            if (!files.ReadObject(index).TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            {
                throw new UnusableModelException(index, "has no weight_map");
            }

            foreach (var tensor in map.EnumerateObject())
            {
                string shard = folder + (tensor.Value.ValueKind == JsonValueKind.String ? tensor.Value.GetString() : "");
                if (!files.Has(shard) || files.ReadHeader(shard).Find(tensor.Name) is null)
                {
                    throw new UnusableModelException(index, $"says that {tensor.Name} is in '{shard}', which is not so");
                }
            }
        }
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
        {
            throw new UnusableModelException(IndexFile, fault);
        }
    }
}
