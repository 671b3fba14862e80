using Fleet.Diffusion;
using Fleet.Diffusion.Imaging;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Sampling;
using Fleet.Diffusion.Tokenization;
using Fleet.Diffusion.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Benchmarks;

/// <summary>The modules called in one loop, without services: what the fleet is measured against.</summary>
internal sealed class DirectLoop : IDisposable
{
    private readonly ClipTokenizer tokenizer;
    private readonly ClipTextModel text;
    private readonly UNet2DConditionModel unet;
    private readonly AutoencoderKL vae;
    private readonly SchedulerConfig scheduler;

    public DirectLoop(string folder)
    {
        ComputeDevice.Open("cpu").PrepareThread();
        using var checkpoint = Checkpoint.Open(folder);
        tokenizer = ClipTokenizer.Load(checkpoint.Files, "tokenizer/");
        text = ClipTextModel.Load(checkpoint);
        unet = UNet2DConditionModel.Load(checkpoint);
        vae = AutoencoderKL.Load(checkpoint);
        scheduler = SchedulerConfig.Parse(checkpoint.Config("scheduler"));
    }

    /// <summary>Makes a picture with guidance 7.5; its PNG file.</summary>
    public byte[] Generate(string prompt, int size, int steps, long seed)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        int latentSize = size / vae.Config.ScaleFactor;
        using var generator = new NoiseGenerator(seed);
        var task = new DenoisingTask
        {
            Sampler = Sampler.Create(scheduler, steps),
            Embeddings = Encode(prompt),
            NegativeEmbeddings = Encode(""),
            GuidanceScale = 7.5,
            Shape = [1, vae.Config.LatentChannels, latentSize, latentSize],
        };
        var network = new DenoisingNetwork(unet, CPU, ScalarType.Float32);
        using var row = new DenoisingRow(task, unet.Config.InChannels, () => generator.Draw([.. task.Shape]));
        while (row.RemainingCalls > 0)
        {
            DenoisingBatch.Advance(network, [row]);
        }

        var image = vae.Decode((row.Latents / vae.Config.ScalingFactor) + vae.Config.ShiftFactor);
        return PngWriter.Write(Picture.FromTensor(image), []);
    }

    public void Dispose()
    {
        text.Dispose();
        unet.Dispose();
        vae.Dispose();
    }

    private Tensor Encode(string prompt)
    {
        var chunk = tokenizer.Tokenize(prompt).Chunks.Single();
        var ids = tensor(chunk.Ids.Select(id => (long)id).ToArray()).unsqueeze(0);
        return EmbeddingWeights.Apply(text.Encode(ids, 0), tensor(chunk.Weights.ToArray()).unsqueeze(0));
    }
}
