using Fleet.Diffusion.Models;
using Fleet.Diffusion.Tests.Weights;
using Fleet.Diffusion.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Models;

public sealed class ForwardTests
{
    [Fact]
    public void UNetForward_LeavesOneNewTensor()
    {
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));
        using var unet = UNet2DConditionModel.Load(checkpoint);
        using Tensor sample = randn(2, 4, 16, 16), timesteps = tensor(new long[] { 1, 999 }), embeddings = randn(2, 77, 32);

        NewTensors(() => unet.forward(sample, timesteps, embeddings)).Should().Be(1);
    }

    [Fact]
    public void UNetForward_DistilledModel_LeavesOneNewTensor()
    {
        using var checkpoint = Checkpoint.Open(Path.GetDirectoryName(CheckpointFiles.Golden("unet_lcm"))!);
        using var unet = UNet2DConditionModel.Load(checkpoint, "unet_lcm");
        using Tensor sample = randn(2, 4, 16, 16), timestep = tensor(999), embeddings = randn(2, 77, 32), guidance = randn(2, 32);

        NewTensors(() => unet.forward(sample, timestep, embeddings, guidance)).Should().Be(1);
    }

    [Theory]
    [InlineData("sd1")]
    [InlineData("sd3")] // 16 latent channels, no convolutions around the latents
    public void AutoencoderDecodeAndEncode_LeaveOneNewTensorPerResult(string model)
    {
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden(model));
        using var vae = AutoencoderKL.Load(checkpoint);
        using Tensor z = randn(1, vae.Config.LatentChannels, 24, 20), image = randn(1, 3, 48, 40);

        NewTensors(() => vae.Decode(z)).Should().Be(1);
        NewTensors(() => vae.DecodeTiled(z)).Should().Be(1);
        NewTensors(() => vae.Encode(image)).Should().Be(2);
        NewTensors(() => vae.EncodeTiled(image)).Should().Be(2);
    }

    [Fact]
    public void TextEncoder_LeavesOneNewTensorPerResult()
    {
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sdxl"));
        using var text = ClipTextModel.Load(checkpoint, "text_encoder_2");
        using Tensor ids = arange(77, ScalarType.Int64).view(1, 77), last = text.Encode(ids);

        NewTensors(() => text.Encode(ids, clipSkip: 1)).Should().Be(1);
        NewTensors(() => text.Pool(last, ids)).Should().Be(1);
        NewTensors(() => text.HiddenStates(ids)).Should().Be(text.Config.NumHiddenLayers + 1);
    }

    [Fact]
    public void EncodeTiled_PictureOfOneTile_IsThatOfEncode()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));
        using var vae = AutoencoderKL.Load(checkpoint);
        var image = randn(1, 3, 32, 32);

        var (mean, std) = vae.EncodeTiled(image);

        mean.data<float>().ToArray().Should().Equal(vae.Encode(image).Mean.data<float>().ToArray());
        std.shape.Should().Equal(1, 4, 16, 16);
    }

    [Fact]
    public void EncodeTiled_LargerPicture_AgreesWithEncodeAwayFromTheSeams()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));
        using var vae = AutoencoderKL.Load(checkpoint);
        var image = (arange(3 * 56 * 72, ScalarType.Float32) / 300).sin().view(1, 3, 56, 72);

        var tiled = vae.EncodeTiled(image).Mean;
        var whole = vae.Encode(image).Mean;

        tiled.shape.Should().Equal(whole.shape);
        (tiled - whole).abs().mean().item<float>().Should().BeLessThan(0.5f * whole.abs().mean().item<float>());
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 0.1)]
    [InlineData(ScalarType.Float16, 0.02)]
    public void UNetForward_HalfPrecision_IsCloseToFloat32(ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd2"));
        using var full = UNet2DConditionModel.Load(checkpoint);
        using var half = UNet2DConditionModel.Load(checkpoint, dtype: dtype);
        Tensor sample = (arange(4 * 16 * 16, ScalarType.Float32) / 100).sin().view(1, 4, 16, 16), embeddings = ones(1, 77, 40), timestep = tensor(500);

        var expected = full.forward(sample, timestep, embeddings);
        var got = half.forward(sample.to(dtype), timestep, embeddings.to(dtype));

        got.dtype.Should().Be(dtype);
        (got.to(ScalarType.Float32) - expected).abs().max().item<float>().Should().BeLessThan((float)tolerance);
    }

    [Fact]
    public void UNetForward_WrongWidths_AreNamedWithTheNumbers()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));
        using var unet = UNet2DConditionModel.Load(checkpoint);
        Tensor sample = zeros(1, 4, 8, 8), embeddings = zeros(1, 77, 32), timestep = tensor(1);

        Call(zeros(1, 9, 8, 8), embeddings, null).Should().Throw<ArgumentException>().WithMessage("*[1, 9, 8, 8]*(batch, 4, height, width)*");
        Call(sample, zeros(1, 77, 40), null).Should().Throw<ArgumentException>().WithMessage("*[1, 77, 40]*(1, tokens, 32)*");
        Call(sample, zeros(2, 77, 32), null).Should().Throw<ArgumentException>().WithMessage("*[2, 77, 32]*");
        Call(sample, embeddings, zeros(1, 256)).Should().Throw<ArgumentException>().WithMessage("*takes none*");

        Action Call(Tensor x, Tensor context, Tensor? condition) => () => unet.forward(x, timestep, context, condition);
    }

    [Fact]
    public void Encode_MoreTokensThanPositionsOrTooManyLayersLeftOut_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));
        using var text = ClipTextModel.Load(checkpoint);

        FluentActions.Invoking(() => text.Encode(zeros([1, 78], ScalarType.Int64))).Should().Throw<ArgumentException>().WithMessage("*[1, 78]*up to 77*");
        FluentActions.Invoking(() => text.Encode(zeros([1, 77], ScalarType.Int64), clipSkip: 4)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*0 to 3*");
    }

    [Fact]
    public void Decode_RowsOfABatch_AreThoseOfSinglePictures()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));
        using var vae = AutoencoderKL.Load(checkpoint);
        var z = randn(2, 4, 12, 10);

        var together = vae.Decode(z);

        together[1].unsqueeze(0).allclose(vae.Decode(z[1].unsqueeze(0)), rtol: 1e-4, atol: 1e-5).Should().BeTrue();
    }

    // What is alive on this thread before and after, the result included. The first call is not counted: it may fill caches.
    private static long NewTensors<T>(Func<T> call)
    {
        Release(call());
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var result = call();
        long created = DisposeScopeManager.Statistics.ThreadTotalLiveCount - before;
        Release(result);
        return created;
    }

    private static void Release(object? result)
    {
        switch (result)
        {
            case Tensor tensor:
                tensor.Dispose();
                break;
            case IEnumerable<Tensor> tensors:
                foreach (var tensor in tensors)
                {
                    tensor.Dispose();
                }

                break;
            case ValueTuple<Tensor, Tensor> pair:
                pair.Item1.Dispose();
                pair.Item2.Dispose();
                break;
        }
    }
}
