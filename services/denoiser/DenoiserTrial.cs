using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Hosting;
using Fleet.Serving.Warmups;

namespace Fleet.Denoiser;

/// <summary>Denoises a few latents, without a prompt, in two steps: with one, not every scheduler has a spacing.</summary>
internal sealed class DenoiserTrial(DenoisingEngine engine) : ITrialRun<DenoiserModel>
{
    private const int Side = 8;

    public async Task RunAsync(string version, DenoiserModel model, CancellationToken cancellation)
    {
        bool inpaints = model.NetworkChannels != model.LatentChannels;
        var start = new DenoiseStart
        {
            Version = version,
            LatentHeight = Side,
            LatentWidth = Side,
            Count = 1,
            Steps = 2,
            GuidanceScale = 1,
            Init = inpaints ? new InitImage { Strength = 1 } : null,
            Inpaint = inpaints,
        };
        using var work = new DenoisingWork(DenoiseJob.OfZeros(start, model.LatentChannels, model.EmbeddingWidth), model);
        await foreach (var next in engine.RunAsync(work, cancellation))
        {
            if (next is LatentsReady { Preview: false } latents)
            {
                RequireFinite(version, latents);
            }
        }
    }

    private static void RequireFinite(string version, LatentsReady latents)
    {
        foreach (float value in MemoryMarshal.Cast<byte, float>(latents.Data))
        {
            if (!float.IsFinite(value))
            {
                throw new FaultyVersionException($"The network of {version} gives numbers that are NaN or infinite.", Wire.NotFinite);
            }
        }
    }
}
