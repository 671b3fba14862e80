using System.Text.Json;
using Fleet.Diffusion.Weights;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Stages.Tests;

/// <summary>A whole run of the reference (tests/golden/pipelines; the golden README names its versions): prompts, latents, the picture.</summary>
internal sealed class GoldenPipeline(string id) : IDisposable
{
    private readonly SafetensorsFile tensors = SafetensorsFile.Open(Path.Combine(Repository.OwnGolden, "pipelines", $"{id}.safetensors"));
    private readonly JsonElement call = JsonDocument
        .Parse(File.ReadAllBytes(Path.Combine(Repository.OwnGolden, "pipelines", $"{id}.json"))).RootElement.GetProperty("call");

    public string Prompt => call.GetProperty("prompt").GetString()!;

    public string NegativePrompt => call.GetProperty("negative_prompt").GetString()!;

    public int ClipSkip => call.TryGetProperty("clip_skip", out var skip) ? skip.GetInt32() : 0;

    public float[] Values(string tensor)
    {
        using var scope = NewDisposeScope();
        return tensors.Read(tensor).data<float>().ToArray();
    }

    public void Dispose() => tensors.Dispose();
}
