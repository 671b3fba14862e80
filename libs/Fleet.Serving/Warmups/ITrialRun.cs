using Fleet.Hosting;

namespace Fleet.Serving.Warmups;

/// <summary>The smallest piece of work that a stage does with a model, through its device, as for a request.</summary>
public interface ITrialRun<TModel>
{
    /// <summary>Runs it, so that the first request finds the model warm.</summary>
    /// <exception cref="FaultyVersionException">It gives numbers that are not finite.</exception>
    Task RunAsync(string version, TModel model, CancellationToken cancellation);
}
