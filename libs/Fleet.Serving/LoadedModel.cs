namespace Fleet.Serving;

/// <summary>What a load did.</summary>
/// <param name="AddedBytes">Bytes of weights that came into memory.</param>
/// <param name="SharedBytes">Bytes of weights that other versions had in memory already.</param>
public sealed record LoadReport(long AddedBytes, long SharedBytes)
{
    /// <summary>What is said of a model that was there as a whole.</summary>
    public LoadReport AllShared => new(0, AddedBytes + SharedBytes);
}

/// <summary>A model of a stage. Versions whose wanted files are equal share one.</summary>
public interface IStageModel<T> : IDisposable
{
    /// <summary>This model, called by the name of a version: what it says about itself names that one.</summary>
    T For(string version);
}

/// <summary>A model, and what must be kept while it lives: disposed after it, in order.</summary>
public sealed class LoadedModel<T>(T model, LoadReport report, params IReadOnlyList<IDisposable> holds) : IDisposable
    where T : IStageModel<T>
{
    /// <summary>The model.</summary>
    public T Model => model;

    /// <summary>What loading it did.</summary>
    public LoadReport Report => report;

    /// <inheritdoc/>
    public void Dispose()
    {
        model.Dispose();
        foreach (var hold in holds)
        {
            hold.Dispose();
        }
    }
}

/// <summary>A loaded model that will not be unloaded before the lease is disposed.</summary>
public sealed class ModelLease<T>(T model, bool cold, LoadReport report, Action release) : IDisposable
{
    private Action? release = release;

    /// <summary>The model, under the name of the version that was asked for.</summary>
    public T Model => model;

    /// <summary>Whether the model had to be loaded, or was being loaded, when it was asked for.</summary>
    public bool Cold => cold;

    /// <summary>What loading it did, seen from this lease.</summary>
    public LoadReport Report => report;

    /// <summary>Lets the model be unloaded when room is needed.</summary>
    public void Dispose() => Interlocked.Exchange(ref release, null)?.Invoke();
}
