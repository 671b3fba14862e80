namespace Fleet.Client.Diff;

/// <summary>What happened to something between two models, a and b.</summary>
public enum Change
{
    /// <summary>Only b has it.</summary>
    Added,

    /// <summary>Only a has it.</summary>
    Removed,

    /// <summary>Both have it, and it is not the same.</summary>
    Changed,
}

/// <summary>How a tensor is stored: element type as safetensors spells it, and shape.</summary>
public sealed record TensorForm(string DType, IReadOnlyList<long> Shape)
{
    /// <summary>For example "F16 [320, 4, 3, 3]".</summary>
    public override string ToString() => $"{DType} [{string.Join(", ", Shape)}]";

    internal bool IsSame(TensorForm other) => DType == other.DType && Shape.SequenceEqual(other.Shape);
}

/// <summary>
/// Euclidean norms of a tensor's values. Elements of which either value is not a finite number are left out and counted in
/// <paramref name="NotFinite"/>.
/// </summary>
/// <param name="Before">||a||.</param>
/// <param name="Difference">||b - a||.</param>
/// <param name="NotFinite">Elements that are infinite or no number in a or b.</param>
public sealed record TensorNorms(double Before, double Difference, long NotFinite)
{
    /// <summary>||b - a|| / ||a||; null when a is zero and b is not.</summary>
    public double? Relative => Difference == 0 ? 0 : Before == 0 ? null : Difference / Before;
}

/// <summary>A tensor that is not the same in both models.</summary>
/// <param name="Change">What happened to it.</param>
/// <param name="Component">Folder of the component, for example "unet".</param>
/// <param name="Name">As the file spells it.</param>
/// <param name="A">Its form in a; null when it was added.</param>
/// <param name="B">Its form in b; null when it was removed.</param>
/// <param name="Norms">Of a changed tensor whose shapes are equal and whose elements are floating-point numbers of at least 16 bits; else null.</param>
public sealed record TensorDifference(Change Change, string Component, string Name, TensorForm? A, TensorForm? B, TensorNorms? Norms);

/// <summary>A file that holds no tensors, or the header of one that does, and is not the same in both models.</summary>
public sealed record FileDifference(Change Change, string Path, long? BytesA, long? BytesB);

/// <summary>How model b differs from model a.</summary>
/// <param name="Tensors">Changed ones, largest relative norm first and those without one before them; then added, then removed ones.</param>
/// <param name="Files">In order of path.</param>
/// <param name="EqualTensors">Tensors that are the same in both, bytes, type and shape.</param>
/// <param name="SharedBytes">Bytes of distinct blobs that both have.</param>
/// <param name="BytesOnlyInA">Bytes of distinct blobs that only a has.</param>
/// <param name="BytesOnlyInB">Bytes of distinct blobs that only b has: what a push of b sends to a registry that holds a.</param>
public sealed record ModelDifference(
    IReadOnlyList<TensorDifference> Tensors,
    IReadOnlyList<FileDifference> Files,
    int EqualTensors,
    long SharedBytes,
    long BytesOnlyInA,
    long BytesOnlyInB)
{
    /// <summary>Whether the models hold the same files.</summary>
    public bool IsNone => Tensors.Count == 0 && Files.Count == 0;
}
