using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Requests;

namespace Fleet.Gateway.Planning;

/// <summary>A request with everything settled: the version pinned for all stages, the size, the seed, the records of the images.</summary>
/// <param name="Parameters">What the caller asked for.</param>
/// <param name="Recipe">What is made, for the first picture.</param>
/// <param name="PixelsPerLatent">Pixels per latent, each way.</param>
/// <param name="Output">Format and text records of the images.</param>
internal sealed record GenerationPlan(GenerationParameters Parameters, Recipe Recipe, int PixelsPerLatent, ImageOutput Output)
{
    public string Version => Recipe.Version;

    /// <summary>The rollout whose canary the version is; empty when it is none.</summary>
    public string CanaryOf { get; init; } = "";

    /// <summary>Pixels of all pictures together.</summary>
    public long Pixels => (long)Recipe.Width * Recipe.Height * Parameters.Count;
}
