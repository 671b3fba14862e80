using System.Text.Json;

namespace Fleet.Signing;

/// <summary>Fields of a JSON object that must be there; what is wrong is named by its place.</summary>
internal readonly struct JsonFields(JsonElement json, string place)
{
    public static JsonFields Parse(ReadOnlyMemory<byte> json, string place)
    {
        try
        {
            return new JsonFields(JsonElement.Parse(json.Span, new JsonDocumentOptions { AllowDuplicateProperties = false }), place);
        }
        catch (JsonException exception)
        {
            throw new SignatureException($"{place} is not valid JSON: {exception.Message}", exception);
        }
    }

    public JsonFields Object(string name) => new(Find(name, JsonValueKind.Object), $"{place}'s {name}");

    public string Text(string name) => Find(name, JsonValueKind.String).GetString()!;

    public IReadOnlyList<JsonFields> Items(string name)
    {
        string inside = $"{place}'s {name}";
        return [.. Find(name, JsonValueKind.Array).EnumerateArray().Select(item => new JsonFields(item, inside))];
    }

    public byte[] Base64(string name)
    {
        try
        {
            return Find(name, JsonValueKind.String).GetBytesFromBase64();
        }
        catch (FormatException exception)
        {
            throw new SignatureException($"{place}'s {name} is not base64", exception);
        }
    }

    public bool Has(string name) => json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out _);

    public void Require(string name, string value)
    {
        string actual = Text(name);
        if (actual != value)
        {
            throw new SignatureException($"{place}'s {name} is '{actual}', where '{value}' is understood");
        }
    }

    private JsonElement Find(string name, JsonValueKind kind) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == kind
            ? value
            : throw new SignatureException($"{place} has no {name}");
}
