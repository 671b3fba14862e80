using System.Text.Json;
using System.Text.RegularExpressions;
using Fleet.Contracts.Registry;
using Fleet.Safetensors;

namespace Fleet.Client.Registry;

/// <summary>A file that is to be pushed: its path in the version, and where it is.</summary>
internal sealed record SourceFile(string Path, string FullPath);

/// <summary>
/// Chooses the files of a model. Of a diffusers folder: model_index.json, README and LICENSE, and from the folders of the components
/// that model_index.json names *.json, *.txt, *.model and *.safetensors. Of a checkpoint of the original layout: the file itself, and from the
/// configuration folders what it lacks, each component from the first folder that has it. Everything else is left out, with a notice.
/// </summary>
internal sealed partial class ModelSource(Action<string> notice)
{
    private const string IndexFile = "model_index.json";
    private const string PickleRemedy =
        "is a pickle, which executes code when it is read; convert it with safetensors.torch.save_file, or with diffusers' "
        + "save_pretrained(folder, safe_serialization=True), on a machine that you trust";

    private static readonly string[] TakenExtensions = [".json", ".txt", ".model", ".safetensors"];
    private static readonly string[] PickleExtensions = [".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"];

    // What a single-file checkpoint does not hold, with the file that shows that a folder has it.
    private static readonly (string Component, string File)[] Configurations =
    [
        ("text_encoder", "config.json"),
        ("unet", "config.json"),
        ("vae", "config.json"),
        ("scheduler", "scheduler_config.json"),
        ("tokenizer", "vocab.json"),
    ];

    private readonly List<SourceFile> files = [];

    /// <summary>Throws <see cref="ModelSourceException"/> when there is no model at the path, or one that is not safetensors.</summary>
    public IReadOnlyList<SourceFile> Find(string path, IReadOnlyList<string> configFolders)
    {
        if (File.Exists(path))
        {
            AddCheckpoint(path, configFolders.Count > 0 ? configFolders : [Path.GetDirectoryName(Path.GetFullPath(path))!]);
        }
        else if (!Directory.Exists(path))
        {
            throw new ModelSourceException(path, "does not exist");
        }
        else if (File.Exists(Path.Combine(path, IndexFile)))
        {
            AddFolder(path);
        }
        else
        {
            string[] checkpoints = Directory.GetFiles(path, "*.safetensors");
            if (checkpoints.Length != 1)
            {
                throw new ModelSourceException(path, $"has no {IndexFile} and {checkpoints.Length} .safetensors files; name the checkpoint to push");
            }

            AddCheckpoint(checkpoints[0], [path, .. configFolders]);
        }

        return files;
    }

    internal static bool IsTaken(string path) => HasExtension(path, TakenExtensions);

    internal static bool IsPickle(string path) => HasExtension(path, PickleExtensions);

    private static bool HasExtension(string path, string[] extensions) =>
        extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    private void AddFolder(string folder)
    {
        var bounds = new LinkBounds(folder);
        foreach (string file in VisibleFiles(folder))
        {
            string name = Path.GetFileName(file);
            if (name == IndexFile || name.StartsWith("README", StringComparison.Ordinal) || name.StartsWith("LICENSE", StringComparison.Ordinal))
            {
                Add(name, file, bounds);
            }
            else
            {
                notice($"{file} is not taken: it belongs to no component");
            }
        }

        var components = Components(Path.Combine(folder, IndexFile));
        foreach (string component in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(component);
            if (components.Contains(name))
            {
                AddComponent(name, component, bounds);
            }
            else if (name[0] != '.')
            {
                notice($"{component} is not taken: {IndexFile} names no such component");
            }
        }
    }

    private void AddCheckpoint(string path, IReadOnlyList<string> configFolders)
    {
        if (HasExtension(path, PickleExtensions))
        {
            throw new ModelSourceException(path, PickleRemedy);
        }

        string name = Path.GetFileName(path);
        Add(PlainName().IsMatch(name) ? name : "model.safetensors", path, bounds: null); // named by the one who pushes, link or not
        if (LoraFile.IsLora(SafetensorsHeader.Read(path)))
        {
            return; // an adapter is complete in itself
        }

        string[] lacking = [.. Configurations.Where(part => FolderOf(part, configFolders) is null).Select(part => $"{part.Component}/{part.File}")];
        if (lacking.Length > 0)
        {
            throw new ModelSourceException(path,
                $"needs {string.Join(", ", lacking)}: a checkpoint in one file lacks them and no configuration folder has them; looked in "
                + $"{string.Join(", ", configFolders)}. Name a folder that has them (of any model of this family, in the diffusers layout) with --config");
        }

        foreach (var (component, file) in Configurations)
        {
            string folder = FolderOf((component, file), configFolders)!;
            foreach (string taken in VisibleFiles(folder).Where(taken => HasExtension(taken, TakenExtensions) && !IsWeights(taken)))
            {
                Add($"{component}/{Path.GetFileName(taken)}", taken, new LinkBounds(Path.GetDirectoryName(folder)!));
            }
        }
    }

    private static string? FolderOf((string Component, string File) part, IReadOnlyList<string> configFolders) =>
        configFolders.Select(config => Path.Combine(config, part.Component))
            .FirstOrDefault(candidate => File.Exists(Path.Combine(candidate, part.File)));

    private void AddComponent(string name, string folder, LinkBounds bounds)
    {
        var present = VisibleFiles(folder).ToList();
        bool hasPlainWeights = present.Any(file => IsWeights(file) && !IsVariant(file));
        foreach (string file in present)
        {
            if (HasExtension(file, PickleExtensions))
            {
                if (!present.Any(IsWeights))
                {
                    throw new ModelSourceException(file, PickleRemedy);
                }

                notice($"{file} is not taken: the .safetensors beside it is");
            }
            else if (!HasExtension(file, TakenExtensions))
            {
                notice($"{file} is not taken: only {string.Join(", ", TakenExtensions)} are");
            }
            else if (hasPlainWeights && IsVariant(file))
            {
                notice($"{file} is not taken: it is a variant of the weights beside it");
            }
            else
            {
                Add($"{name}/{Path.GetFileName(file)}", file, bounds);
            }
        }
    }

    private void Add(string path, string fullPath, LinkBounds? bounds)
    {
        // The Hugging Face cache keeps its files as links; a link to anything but a file is no part of a model.
        if (File.ResolveLinkTarget(fullPath, returnFinalTarget: true) is { Exists: false })
        {
            throw new ModelSourceException(fullPath, "is a link to something that is not a file");
        }

        bounds?.Require(fullPath);
        if (path.Length > ManifestForm.MaxPathLength)
        {
            throw new ModelSourceException(fullPath, $"has a name too long for a version, where {ManifestForm.MaxPathLength} characters fit");
        }

        files.Add(new SourceFile(path, fullPath));
    }

    private static IEnumerable<string> VisibleFiles(string folder) =>
        Directory.EnumerateFiles(folder).Where(file => Path.GetFileName(file)[0] != '.').Order(StringComparer.Ordinal);

    internal static bool IsWeights(string path) => path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);

    internal static bool IsVariant(string path) => VariantName().IsMatch(Path.GetFileName(path));

    internal static HashSet<string> Components(string indexPath)
    {
        try
        {
            using var index = JsonDocument.Parse(File.ReadAllBytes(indexPath));
            return
            [
                .. index.RootElement.EnumerateObject()
                    .Where(property => property.Value.ValueKind == JsonValueKind.Array && property.Value.EnumerateArray().All(IsText))
                    .Select(property => property.Name),
            ];
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ModelSourceException(indexPath, $"is not a JSON object: {exception.Message}");
        }
    }

    private static bool IsText(JsonElement value) => value.ValueKind == JsonValueKind.String;

    // "model.fp16.safetensors", "model.fp16-00001-of-00002.safetensors", "model-00001-of-00002.fp16.safetensors" and their indexes.
    [GeneratedRegex(@"^(model|diffusion_pytorch_model)(-\d+-of-\d+)?\.(?!safetensors)\w+.*\.safetensors(\.index.*\.json)?$|\.safetensors\.index\.(?!json)\w+\.json$")]
    private static partial Regex VariantName();

    [GeneratedRegex(@"^[A-Za-z0-9._-][A-Za-z0-9._ -]{0,200}$")]
    private static partial Regex PlainName();
}
