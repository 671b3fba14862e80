namespace Fleet.Contracts;

/// <summary>A stream of tensors that breaks the rules of fleet/tensor/v1/tensor.proto: the field, its value and what would be right.</summary>
public sealed class TensorStreamException(string field, object? value, string expected)
    : Exception($"tensor.{field} is {value}; expected {expected}.")
{
    /// <summary>The field's path inside TensorChunk.</summary>
    public string Field { get; } = field;
}
