using Fleet.Diffusion.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>The denoising network on its device.</summary>
/// <param name="Unet">The network.</param>
/// <param name="Device">Where its weights are.</param>
/// <param name="DType">Element type of its weights.</param>
public sealed record DenoisingNetwork(UNet2DConditionModel Unet, Device Device, ScalarType DType);

/// <summary>One call of the network for rows that may stand at different timesteps of different schedulers.</summary>
public static class DenoisingBatch
{
    /// <summary>Advances each row by one call; returns the number of network rows, two for each guided picture.</summary>
    /// <remarks>
    /// Latent size, token count and network must be equal among the rows. Unconditional halves come first, then the conditional
    /// ones, as in the reference; a row without guidance has the conditional half only.
    /// </remarks>
    public static int Advance(DenoisingNetwork network, IReadOnlyList<DenoisingRow> rows)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();

        var guided = rows.Where(row => row.Guided(network)).ToList();
        var inputs = rows.ToDictionary(row => row, row => row.NetworkInput());
        DenoisingRow[] order = [.. guided, .. rows];
        var sample = cat([.. order.Select(row => inputs[row])], 0).to(network.DType, network.Device); // (b, c, h, w)
        var timesteps = tensor(order.Select(row => (float)row.Timestep).ToArray(), device: network.Device); // (b)
        var embeddings = cat(
            [.. guided.Select(row => row.Task.NegativeEmbeddings!), .. rows.Select(row => row.Task.Embeddings)], 0)
            .to(network.DType, network.Device); // (b, t, width)
        var guidance = network.Unet.Config.TimeCondProjDim is { } width ? GuidanceEmbedding(rows, width).to(network.DType, network.Device) : null;

        var predictions = network.Unet.call(sample, timesteps, embeddings, guidance).to(ScalarType.Float32, CPU); // (b, c, h, w)
        for (int i = 0; i < rows.Count; i++)
        {
            var prediction = predictions.narrow(0, guided.Count + i, 1);
            int unconditional = guided.IndexOf(rows[i]);
            rows[i].Advance(
                unconditional < 0
                    ? prediction
                    : Guidance.Combine(predictions.narrow(0, unconditional, 1), prediction, rows[i].Task.GuidanceScale, rows[i].Task.GuidanceRescale));
        }

        return order.Length;
    }

    // A distilled network takes the guidance scale as an input and needs no unconditional half.
    private static bool Guided(this DenoisingRow row, DenoisingNetwork network) =>
        row.Task.GuidanceScale > 1 && network.Unet.Config.TimeCondProjDim is null;

    // Sinusoids of 1000 (scale - 1), (b, width); latent consistency models, arXiv:2310.04378, appendix on guidance embedding.
    private static Tensor GuidanceEmbedding(IReadOnlyList<DenoisingRow> rows, int width)
    {
        int half = width / 2;
        var scales = tensor(rows.Select(row => (float)(row.Task.GuidanceScale - 1)).ToArray()) * 1000f; // (b)
        var frequencies = (arange(half, ScalarType.Float32) * (-Math.Log(10_000) / (half - 1))).exp(); // (half)
        var angles = scales.unsqueeze(1) * frequencies.unsqueeze(0);
        var embedding = cat([angles.sin(), angles.cos()], 1);
        return width % 2 == 1 ? nn.functional.pad(embedding, [0, 1]) : embedding;
    }
}
