namespace Fleet.Diffusion.Weights;

/// <summary>A checkpoint that cannot be used as it is. The message names the component, what is wrong and what would be right.</summary>
public class CheckpointException : Exception
{
    /// <summary>With a message that a person can act on.</summary>
    public CheckpointException(string message)
        : base(message)
    {
    }

    /// <summary>With the fault underneath.</summary>
    public CheckpointException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

/// <summary>A tensor whose shape is not the one that the component's config asks for.</summary>
/// <param name="Key">The parameter.</param>
/// <param name="Got">The shape in the file.</param>
/// <param name="Expected">The shape of the parameter.</param>
public sealed record WrongShape(string Key, IReadOnlyList<long> Got, IReadOnlyList<long> Expected)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Key} is [{string.Join(", ", Got)}] and should be [{string.Join(", ", Expected)}]";
}

/// <summary>The tensors of a component are not those of its architecture. Nothing of it was loaded.</summary>
public sealed class WeightMismatchException(
    string component, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected, IReadOnlyList<WrongShape> wrongShapes)
    : CheckpointException(Describe(component, missing, unexpected, wrongShapes))
{
    private const int Shown = 8;

    /// <summary>Parameters that no tensor of the files belongs to.</summary>
    public IReadOnlyList<string> Missing { get; } = missing;

    /// <summary>Tensors of the files that belong to no parameter.</summary>
    public IReadOnlyList<string> Unexpected { get; } = unexpected;

    /// <summary>Tensors of another shape than their parameter.</summary>
    public IReadOnlyList<WrongShape> WrongShapes { get; } = wrongShapes;

    private static string Describe(
        string component, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected, IReadOnlyList<WrongShape> wrongShapes)
    {
        string[] faults =
        [
            .. Listed("missing", missing),
            .. Listed("unexpected", unexpected),
            .. Listed("of a wrong shape", [.. wrongShapes.Select(w => w.ToString())]),
        ];
        return $"The weights of {component} do not fit its config.json: {string.Join("; ", faults)}.";
    }

    private static IEnumerable<string> Listed(string what, IReadOnlyList<string> items)
    {
        if (items.Count > 0)
        {
            string more = items.Count > Shown ? $" and {items.Count - Shown} more" : "";
            yield return $"{items.Count} {what}: {string.Join(", ", items.Take(Shown))}{more}";
        }
    }
}
