using System.Text.Json;
using Fleet.Diffusion.Weights;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>The golden folder's index: which cases there are. New cases need no code.</summary>
internal static class GoldenSet
{
    private static readonly Lazy<IReadOnlyList<GoldenCase>> Index = new(ReadIndex);

    public static string Folder => Repository.Golden;

    public static IReadOnlyList<GoldenCase> Cases => Index.Value;

    public static GoldenCase Find(string group, string id) => Cases.Single(c => c.Group == group && c.Id == id);

    private static List<GoldenCase> ReadIndex()
    {
        using var index = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "index.json")));
        return [.. index.RootElement.GetProperty("cases").EnumerateArray().Select(entry => new GoldenCase(entry.Clone()))];
    }
}

/// <summary>One case: its entry in the index, its JSON and its tensors.</summary>
internal sealed class GoldenCase(JsonElement entry)
{
    private readonly Lazy<JsonElement> json = new(() => ReadJson(entry));

    public string Id => entry.GetProperty("id").GetString()!;

    public string Group => entry.GetProperty("group").GetString()!;

    /// <summary>The entry in index.json.</summary>
    public JsonElement Entry => entry;

    /// <summary>The case's own file.</summary>
    public JsonElement Json => json.Value;

    /// <summary>What of a case that passes was not compared, in words for the summary.</summary>
    public string? LeftOut { get; set; }

    /// <summary>A string of the index entry, or null: "model", "scheduler", "component" ...</summary>
    public string? Text(string key) => entry.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The full path of a path in the index entry, such as "model".</summary>
    public string PathOf(string key) =>
        Path.Combine(GoldenSet.Folder, Text(key) ?? throw new InvalidDataException($"{Group}/{Id} names no '{key}'."));

    /// <summary>Opens the case's tensors.</summary>
    public GoldenTensors OpenTensors() =>
        new(SafetensorsFile.Open(Path.Combine(GoldenSet.Folder, Files().Single(f => f.EndsWith(".safetensors", StringComparison.Ordinal)))));

    private static JsonElement ReadJson(JsonElement entry)
    {
        string name = entry.GetProperty("files").EnumerateArray().Select(f => f.GetString()!).Single(f => f.EndsWith(".json", StringComparison.Ordinal));
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(GoldenSet.Folder, name)));
        return document.RootElement.Clone();
    }

    private IEnumerable<string> Files() => entry.GetProperty("files").EnumerateArray().Select(f => f.GetString()!);
}

/// <summary>The tensors of a case: inputs are named "in.…", all others are expected results.</summary>
internal sealed class GoldenTensors(SafetensorsFile file) : IDisposable
{
    public IEnumerable<string> Names => file.Header.Entries.Select(e => e.Name);

    public bool Has(string name) => file.Header.Find(name) is not null;

    public Tensor this[string name] => file.Read(name);

    public void Dispose() => file.Dispose();
}

/// <summary>Thrown by a group's code for a case of a family that Fleet does not serve yet.</summary>
internal sealed class NotCoveredException(string reason) : Exception(reason);
