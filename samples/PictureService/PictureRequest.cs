using Fleet.Client;

namespace PictureService;

/// <summary>The body of POST /pictures, as JSON. Only the prompt is required.</summary>
public sealed record PictureRequest(string Prompt, string? NegativePrompt, string? Model, int? Width, int? Height, int? Steps, long? Seed)
{
    internal GenerationRequest ToGeneration() => new()
    {
        Prompt = Prompt,
        NegativePrompt = NegativePrompt ?? "",
        Model = Model,
        Width = Width,
        Height = Height,
        Steps = Steps,
        Seed = Seed,
    };
}
