using System.Text.Json;
using System.Text.RegularExpressions;
using Fleet.Safetensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>
/// A model on disk, in one of the two layouts that people have: a diffusers folder (component folders, each with config.json
/// and weights), or a single file in the original layout with config folders beside it, which may be absent for the published
/// SD 1.x and 2.x. Both give the same model.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private readonly IComponentSource source;
    private readonly TensorLoan? weights;

    private Checkpoint(IComponentSource source, TensorLoan? weights)
    {
        this.source = source;
        this.weights = weights;
    }

    /// <summary>The files that the configs, and beside them <c>tokenizer/</c>, are among.</summary>
    public IModelFiles Files => source.Files;

    /// <summary>Opens a diffusers folder, a single <c>.safetensors</c> file, or a folder with one such file beside config folders.</summary>
    /// <exception cref="CheckpointException">There is no checkpoint at the path.</exception>
    /// <exception cref="SafetensorsFormatException">The single file is not safetensors, damaged or cut.</exception>
    public static Checkpoint Open(string path)
    {
        path = Path.GetFullPath(path);
        if (File.Exists(path))
        {
            return new Checkpoint(new SingleFileSource(new ModelFolder(Path.GetDirectoryName(path)!), Path.GetFileName(path)), weights: null);
        }

        return Directory.Exists(path)
            ? Open(new ModelFolder(path))
            : throw new CheckpointException($"There is no checkpoint at {path}: a folder or a .safetensors file is needed.");
    }

    /// <summary>Opens a model whose files are those of a diffusers folder, or one <c>.safetensors</c> file beside config folders.</summary>
    /// <param name="files">The files.</param>
    /// <param name="weights">What tensors are taken from, to be shared with other models; it must outlive the models. Null: nothing is shared.</param>
    /// <exception cref="CheckpointException">The files are no checkpoint.</exception>
    /// <exception cref="SafetensorsFormatException">The single file is not safetensors, damaged or cut.</exception>
    public static Checkpoint Open(IModelFiles files, TensorLoan? weights = null)
    {
        TorchRuntime.EnsureLoaded();
        if (DiffusersFolderSource.HoldsWeights(files))
        {
            return new Checkpoint(new DiffusersFolderSource(files), weights);
        }

        string[] single = [.. files.Paths.Where(path => !path.Contains('/') && path.EndsWith(".safetensors", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        return single.Length switch
        {
            1 => new Checkpoint(new SingleFileSource(files, single[0]), weights),
            0 when files.Paths.Contains("model_index.json") => new Checkpoint(new DiffusersFolderSource(files), weights),
            0 => throw new CheckpointException(
                $"{files.Describe("")} holds no checkpoint: component folders with config.json and .safetensors weights, or one .safetensors file, are needed."),
            _ => throw new CheckpointException(
                $"{files.Describe("")} holds {single.Length} .safetensors files and no component folders with weights; name the one that is meant: {string.Join(", ", single)}."),
        };
    }

    /// <summary>Whether the checkpoint holds a component: "text_encoder", "unet" or "vae" with weights, or "scheduler".</summary>
    public bool Has(string component) => source.Has(component);

    /// <summary>The component's <c>config.json</c>; for "scheduler" <c>scheduler/scheduler_config.json</c>. Bare infinities are read as numbers.</summary>
    /// <exception cref="CheckpointException">The component is missing, or its config is no JSON object.</exception>
    public JsonElement Config(string component) => source.Config(component);

    /// <summary>Releases the files. Models that were loaded from them live on.</summary>
    public void Dispose() => source.Dispose();

    /// <summary>Gives a model its weights; the model is disposed if that fails.</summary>
    internal T Fill<T>(string component, T model, Device? device, ScalarType? dtype)
        where T : nn.Module
    {
        using var own = weights is null ? new TensorPool().Borrow() : null;
        try
        {
            var keys = model.named_parameters().Select(p => p.name).ToHashSet(StringComparer.Ordinal);
            var (stored, unexpected) = source.Weights(component, keys);
            WeightLoader.Load(model, component, stored, unexpected, weights ?? own!, device ?? CPU, dtype ?? ScalarType.Float32);
            return model;
        }
        catch (Exception e)
        {
            model.Dispose();
            if (WeightMemoryException.Explaining(component, e) is { } shortage)
            {
                throw shortage;
            }

            throw;
        }
    }
}

/// <summary>One layout of a checkpoint.</summary>
internal interface IComponentSource : IDisposable
{
    IModelFiles Files { get; }

    bool Has(string component);

    JsonElement Config(string component);

    /// <summary>The tensors of a component by parameter, and the names of those that no parameter has.</summary>
    (IReadOnlyDictionary<string, StoredTensor> Stored, IReadOnlyList<string> Unexpected) Weights(string component, IReadOnlySet<string> keys);
}

internal static partial class ConfigFile
{
    public static string PathOf(string component) => $"{component}/{(component == "scheduler" ? "scheduler_config.json" : "config.json")}";

    public static JsonElement Read(IModelFiles files, string path)
    {
        try
        {
            return Parse(File.ReadAllText(files.Locate(path)));
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{files.Describe(path)} is not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>Python's writer puts infinities down bare; a number beyond the range of doubles reads back as one.</summary>
    public static JsonElement Parse(string json)
    {
        string strict = BareInfinity().Replace(json, match => match.Groups["sign"].Success ? $"{match.Groups["sign"].Value}1e999" : match.Value);
        var root = JsonElement.Parse(strict);
        return root.ValueKind == JsonValueKind.Object ? root : throw new JsonException("an object is needed at the top");
    }

    // Strings are matched first and left as they are.
    [GeneratedRegex("""
        "(?:[^"\\]|\\.)*"|(?<sign>-?)Infinity
        """)]
    private static partial Regex BareInfinity();
}
