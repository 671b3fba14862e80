using System.Text.Json;

namespace Fleet.Registry.Publishing;

/// <summary>A component's JSON configuration; faults name the file and the key.</summary>
internal sealed class ComponentConfig(string path, JsonElement json)
{
    public string Path => path;

    public static ComponentConfig Read(BundleFiles files, string path) => new(path, files.ReadObject(path));

    /// <summary>A whole number from 1 on; null when the key is absent or null.</summary>
    public int? Number(string key) => Find(key) is { } value ? ToNumber(key, value) : null;

    /// <summary>A whole number from 1 on, which must be there.</summary>
    public int RequiredNumber(string key) => Number(key) ?? throw Missing(key);

    /// <summary>Whole numbers: the one that is given, or all of a list.</summary>
    public int[] RequiredNumbers(string key) => Find(key) switch
    {
        null => throw Missing(key),
        { ValueKind: JsonValueKind.Array } list when list.GetArrayLength() > 0 => [.. list.EnumerateArray().Select(item => ToNumber(key, item))],
        { } value => [ToNumber(key, value)],
    };

    public string? Text(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw new UnusableModelException(path, $"{key} is {value.GetRawText()}, where text is needed"),
    };

    public bool Flag(string key) => Find(key) is { ValueKind: JsonValueKind.True };

    private JsonElement? Find(string key) =>
        json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private int ToNumber(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number > 0
            ? number
            : throw new UnusableModelException(path, $"{key} is {value.GetRawText()}, where a whole number from 1 is needed");

    private UnusableModelException Missing(string key) => new(path, $"{key} is missing");
}
