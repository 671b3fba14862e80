namespace Fleet.Contracts.Registry;

/// <summary>A manifest that is not as registry.proto says.</summary>
public sealed class ManifestFormatException(string field, object value, string remedy)
    : Exception($"{field} is {value}; {remedy}.")
{
    /// <summary>The field at fault, with the file's path where it belongs to one.</summary>
    public string Field { get; } = field;

    /// <summary>What the field holds.</summary>
    public object Value { get; } = value;

    /// <summary>What would be right.</summary>
    public string Remedy { get; } = remedy;
}
