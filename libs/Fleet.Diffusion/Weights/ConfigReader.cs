using System.Text.Json;

namespace Fleet.Diffusion.Weights;

/// <summary>
/// Reads a component's config.json. An absent option takes the reference's default; an option that is unknown or has a value
/// that is not supported is refused by name and value, because ignoring it would give other pictures without a word.
/// </summary>
internal sealed class ConfigReader(string component, JsonElement json)
{
    private readonly HashSet<string> known = new(StringComparer.Ordinal);

    public bool Bool(string name, bool fallback) => Read(name, fallback, v => v.GetBoolean(), JsonValueKind.True, JsonValueKind.False);

    public int Int(string name, int fallback) => Read(name, fallback, v => v.GetInt32(), JsonValueKind.Number);

    public int? IntOrNull(string name) => Read<int?>(name, null, v => v.GetInt32(), JsonValueKind.Number);

    public double Double(string name, double fallback) => Read(name, fallback, v => v.GetDouble(), JsonValueKind.Number);

    public double? DoubleOrNull(string name) => Read<double?>(name, null, v => v.GetDouble(), JsonValueKind.Number);

    public string Text(string name, string fallback) => Read(name, fallback, v => v.GetString()!, JsonValueKind.String);

    /// <summary>A text or null, where an explicit null is not the same as an absent option.</summary>
    public string? TextOrNull(string name, string? fallback) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Null && known.Add(name)
            ? null
            : Read(name, fallback, v => v.GetString(), JsonValueKind.String);

    public IReadOnlyList<string> Texts(string name, IReadOnlyList<string> fallback) =>
        Read(name, fallback, v => [.. v.EnumerateArray().Select(item => item.GetString()!)], JsonValueKind.Array);

    public IReadOnlyList<int> Ints(string name, IReadOnlyList<int> fallback) =>
        Read(name, fallback, v => [.. v.EnumerateArray().Select(item => item.GetInt32())], JsonValueKind.Array);

    /// <summary>One number per level, given as a list of them or as one number for all.</summary>
    public IReadOnlyList<int> IntPerLevel(string name, int levels, int fallback) =>
        PerLevel(name, levels, fallback, v => v.GetInt32(), JsonValueKind.Number);

    /// <summary>One truth value per level, given as a list of them or as one value for all.</summary>
    public IReadOnlyList<bool> BoolPerLevel(string name, int levels, bool fallback) =>
        PerLevel(name, levels, fallback, v => v.GetBoolean(), JsonValueKind.True, JsonValueKind.False);

    /// <summary>Refuses an option that is neither absent, null nor one of the given values, and lists them.</summary>
    public void Require<T>(string name, params T[] supported)
    {
        known.Add(name);
        if (!json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return;
        }

        bool fits = supported.Any(s => JsonElement.DeepEquals(value, JsonSerializer.SerializeToElement(s)));
        if (!fits)
        {
            string choices = supported.Length == 0 ? "null" : string.Join(" or ", supported.Select(s => JsonSerializer.Serialize(s)));
            throw Unsupported(name, value.GetRawText(), choices);
        }
    }

    /// <summary>Marks options as known that change nothing when a picture is made: sizes of the training pictures, dropout.</summary>
    public void Ignore(params string[] names) => known.UnionWith(names);

    /// <summary>Refuses what nothing asked for. Names with an underscore are notes of the writer, null means off.</summary>
    public void RefuseUnknown()
    {
        foreach (var option in json.EnumerateObject())
        {
            if (!known.Contains(option.Name) && !option.Name.StartsWith('_') && option.Value.ValueKind != JsonValueKind.Null)
            {
                throw new CheckpointException($"{component}: option '{option.Name}' = {option.Value.GetRawText()} is not known; remove it if it changes nothing.");
            }
        }
    }

    public CheckpointException Unsupported(string name, string value, string supported) =>
        new($"{component}: option '{name}' = {value} is not supported; {supported} is.");

    private IReadOnlyList<T> PerLevel<T>(string name, int levels, T fallback, Func<JsonElement, T> one, params JsonValueKind[] kinds)
    {
        bool isList = json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array;
        if (!isList)
        {
            return [.. Enumerable.Repeat(Read(name, fallback, one, kinds), levels)];
        }

        known.Add(name);
        if (value.GetArrayLength() != levels || value.EnumerateArray().Any(item => !kinds.Contains(item.ValueKind)))
        {
            throw Unsupported(name, value.GetRawText(), $"a list of {levels}, one per level, or one value for all");
        }

        return [.. value.EnumerateArray().Select(one)];
    }

    private T Read<T>(string name, T fallback, Func<JsonElement, T> convert, params JsonValueKind[] kinds)
    {
        known.Add(name);
        if (!json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return fallback;
        }

        try
        {
            return kinds.Contains(value.ValueKind) ? convert(value) : throw new FormatException();
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException)
        {
            throw new CheckpointException($"{component}: option '{name}' = {value.GetRawText()} is not a {string.Join(" or ", kinds)}.");
        }
    }
}
