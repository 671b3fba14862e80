using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class SyntheticCheckpointTests
{
    [Fact]
    public void Write_Small_IsAWholeCheckpointWithFiniteOutputs()
    {
        using var folder = new TemporaryFolder();
        SyntheticCheckpoint.Write(folder.Path, SyntheticArchitecture.Named("small"), Path.Combine(CheckpointFiles.Golden("sd1"), "tokenizer"), dtype: ScalarType.Float16);
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(folder.Path);
        using var text = ClipTextModel.Load(checkpoint);
        using var unet = UNet2DConditionModel.Load(checkpoint);
        using var vae = AutoencoderKL.Load(checkpoint);

        var prediction = unet.forward(randn(1, 4, 16, 16), tensor(999), text.Encode(zeros([1, 77], ScalarType.Int64)));
        var picture = vae.Decode(prediction);

        prediction.std().item<float>().Should().BeInRange(0.1f, 10);
        picture.std().item<float>().Should().BeInRange(0.1f, 10);
        File.Exists(folder["tokenizer", "vocab.json"]).Should().BeTrue();
    }

    [Fact]
    public void Write_SameSeed_GivesTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, seed) in new[] { ("a", 7UL), ("b", 7UL), ("c", 8UL) })
        {
            SyntheticCheckpoint.Write(folder[name], SyntheticArchitecture.Named("small"), tokenizerFolder: null, seed);
        }

        byte[][] weights = [.. new[] { "a", "b", "c" }.Select(name => File.ReadAllBytes(folder[name, CheckpointFiles.VaeWeights]))];
        weights[1].AsSpan().SequenceEqual(weights[0]).Should().BeTrue();
        weights[2].AsSpan().SequenceEqual(weights[0]).Should().BeFalse();
    }

    [Fact]
    public void Named_UnknownArchitecture_ListsThoseThereAre()
    {
        FluentActions.Invoking(() => SyntheticArchitecture.Named("sd3")).Should().Throw<ArgumentException>().WithMessage("*'sd3'*sd2, sd15, small*");
    }
}
