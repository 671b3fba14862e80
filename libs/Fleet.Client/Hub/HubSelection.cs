using Fleet.Client.Registry;

namespace Fleet.Client.Hub;

/// <summary>Which files of a repository an import fetches: those that a push would take.</summary>
internal static class HubSelection
{
    private const string IndexFile = "model_index.json";

    /// <summary>The files of the reference's folder, their paths shortened to what follows it; or the one file that it names.</summary>
    public static IReadOnlyList<HubFile> Below(HubListing listing, HubReference reference)
    {
        if (listing.Files.FirstOrDefault(file => file.Path == reference.Path) is { } named)
        {
            return [named];
        }

        string prefix = reference.Path == "" ? "" : reference.Path + "/";
        var files = listing.Files.Where(file => file.Path.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        return files.Count > 0
            ? files
            : throw new HubException(HubFault.NotFound, $"{reference} names neither a file nor a folder of the repository");
    }

    public static HubFile? Index(IReadOnlyList<HubFile> files, HubReference reference) =>
        files.FirstOrDefault(file => Within(file, reference) == IndexFile);

    /// <summary>Path of a file within the reference's folder; its name when the reference is the file.</summary>
    public static string Within(HubFile file, HubReference reference) =>
        file.Path == reference.Path ? Path.GetFileName(file.Path)
        : reference.Path == "" ? file.Path
        : file.Path[(reference.Path.Length + 1)..];

    /// <summary>Of a folder with a model_index.json that names these components.</summary>
    public static IEnumerable<HubFile> OfPipeline(
        IReadOnlyList<HubFile> files, HubReference reference, IReadOnlySet<string> components, string variant)
    {
        foreach (var folder in files.GroupBy(file => FolderOf(Within(file, reference))))
        {
            var taken = folder.Key == ""
                ? folder.Where(file => IsAboutModel(Path.GetFileName(file.Path)))
                : components.Contains(folder.Key) ? OfComponent(folder.Key, [.. folder], variant) : [];
            foreach (var file in taken)
            {
                yield return file;
            }
        }
    }

    /// <summary>Of a folder without one: its only .safetensors file, and what there is to read about it.</summary>
    public static IEnumerable<HubFile> OfSingleFile(IReadOnlyList<HubFile> files, HubReference reference)
    {
        var weights = files.Where(file => FolderOf(Within(file, reference)) == "" && ModelSource.IsWeights(file.Path)).ToList();
        return weights.Count == 1
            ? weights
            : throw new HubException(HubFault.Unusable, weights.Count == 0
                ? $"{reference} has neither a {IndexFile} nor a .safetensors file"
                : $"{reference} has no {IndexFile} and several .safetensors files; name one: {string.Join(", ", weights.Select(file => Within(file, reference)))}");
    }

    private static IEnumerable<HubFile> OfComponent(string component, List<HubFile> files, string variant)
    {
        bool HasMark(HubFile file) => variant != "" && Path.GetFileName(file.Path).Contains($".{variant}", StringComparison.Ordinal);

        var weights = files.Where(file => ModelSource.IsWeights(file.Path)).ToList();
        bool wanted = weights.Any(HasMark);
        bool plain = weights.Any(file => !ModelSource.IsVariant(file.Path));
        if (weights.Count == 0 && files.FirstOrDefault(file => ModelSource.IsPickle(file.Path)) is { } pickle)
        {
            throw new HubException(HubFault.Unusable, $"{component} has its weights in a pickle only ({pickle.Path}), which is not fetched");
        }

        return files.Where(file =>
        {
            bool isVariant = ModelSource.IsVariant(file.Path);
            bool aboutWeights = ModelSource.IsWeights(file.Path) || file.Path.Contains(".safetensors.index.", StringComparison.Ordinal);
            return ModelSource.IsTaken(file.Path)
                && (!aboutWeights || (wanted ? isVariant && HasMark(file) : !plain || !isVariant));
        });
    }

    private static bool IsAboutModel(string name) =>
        name == IndexFile || name.StartsWith("README", StringComparison.Ordinal) || name.StartsWith("LICENSE", StringComparison.Ordinal);

    // Folders within the folder of a component belong to no component.
    private static string FolderOf(string path) => Path.GetDirectoryName(path)!.Replace('\\', '/');
}
