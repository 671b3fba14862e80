using Fleet.Diffusion.Imaging;
using Fleet.Diffusion.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Decoder;

/// <summary>
/// Small pictures of latents without decoding them: one pixel per latent, its colour a linear function of the latent's
/// channels. The function is fitted to the version's own autoencoder, so that it suits any family and fine-tune.
/// </summary>
internal sealed class LatentProjection
{
    private const int MaxSide = 128;

    private readonly float[] weights; // (c + 1, 3), the last row the constant
    private readonly int channels;

    private LatentProjection(float[] weights, int channels)
    {
        this.weights = weights;
        this.channels = channels;
    }

    /// <summary>Decodes one picture of noise and takes the least-squares fit of its colours. Like latents, the noise has a variance of 1 and holds both detail and larger areas.</summary>
    public static LatentProjection Fit(DecoderModel model, Device device)
    {
        const int Side = 16;
        const int Patch = 4;
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        using var noise = new NoiseGenerator(0);
        int channels = model.LatentChannels;
        var areas = noise.Draw(1, channels, Side / Patch, Side / Patch).repeat_interleave(Patch, 2).repeat_interleave(Patch, 3);
        var latents = (areas + noise.Draw(1, channels, Side, Side)) / Math.Sqrt(2);
        var decoded = model.Autoencoder.Decode(model.FromDenoiser(latents.to(device))).to(float64).cpu().clamp(-1, 1);
        var colours = nn.functional.adaptive_avg_pool2d(decoded, Side);

        var x = cat([Rows(latents.to(float64)), ones([Side * Side, 1], float64)], dim: 1);  // (n, c + 1)
        var ridge = eye(channels + 1, dtype: float64) * (1e-3 * Side * Side);
        var fit = linalg.solve(x.T.matmul(x) + ridge, x.T.matmul(Rows(colours)));  // (c + 1, 3)
        return new LatentProjection(fit.to(float32).data<float>().ToArray(), channels);
    }

    /// <summary>The picture of latents (1, c, h, w): h by w pixels, at most 128 a side.</summary>
    public Picture Project(Tensor latents)
    {
        using var scope = NewDisposeScope();
        long longest = Math.Max(latents.shape[2], latents.shape[3]);
        if (longest > MaxSide)
        {
            long[] size = [.. latents.shape[2..].Select(side => Math.Max(side * MaxSide / longest, 1))];
            latents = nn.functional.adaptive_avg_pool2d(latents, size);
        }

        var (height, width) = (latents.shape[2], latents.shape[3]);
        var map = tensor(weights, [channels + 1, 3]);
        var colours = Rows(latents).matmul(map[..channels]) + map[channels];  // (h w, 3)
        return Picture.FromTensor(colours.T.reshape(1, 3, height, width));
    }

    private static Tensor Rows(Tensor image) => image[0].flatten(1).T;  // (1, c, h, w) to (h w, c)
}
