using Fleet.Contracts.Decoder.V1;
using Fleet.Diffusion.Sampling;
using Fleet.Serving.Warmups;

namespace Fleet.Decoder;

/// <summary>Decodes a few latents of noise, and fits the projection that previews are made with.</summary>
internal sealed class DecoderTrial(DecodingEngine engine) : ITrialRun<DecoderModel>
{
    private const int Side = 8;

    public async Task RunAsync(string version, DecoderModel model, CancellationToken cancellation)
    {
        long[] shape = [1, model.LatentChannels, Side, Side];
        var latents = new Latents(new LatentsStart(), shape, Noise(shape));
        _ = await engine.DecodeAsync(latents, model, cancellation);
        _ = await engine.PreviewAsync(latents, model, cancellation);
    }

    private static byte[] Noise(long[] shape)
    {
        using var generator = new NoiseGenerator(0);
        using var noise = generator.Draw(shape);
        return noise.bytes.ToArray();
    }
}
