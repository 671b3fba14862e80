using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class WeightLoadingTests
{
    [Fact]
    public void Load_TensorsMissingUnexpectedAndMisshapen_ListsAllAtOnce()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.Rewrite(folder[CheckpointFiles.UNetWeights], (name, value) => name switch
        {
            "conv_in.bias" => null,
            "conv_out.bias" => ("conv_out.bais", value),
            "conv_norm_out.weight" => (name, ones(23)),
            _ => (name, value),
        });
        using var checkpoint = Checkpoint.Open(folder.Path);

        var fault = FluentActions.Invoking(() => UNet2DConditionModel.Load(checkpoint)).Should().Throw<WeightMismatchException>().Which;

        fault.Missing.Should().BeEquivalentTo("conv_in.bias", "conv_out.bias");
        fault.Unexpected.Should().Equal("conv_out.bais");
        fault.WrongShapes.Should().ContainSingle().Which.ToString().Should().Be("conv_norm_out.weight is [23] and should be [24]");
        fault.Message.Should().Contain("unet").And.Contain("2 missing: conv_in.bias").And.Contain("1 unexpected: conv_out.bais");
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Load_WeightNotFinite_NamesTensorAndFile(float value)
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.Rewrite(
            folder[CheckpointFiles.VaeWeights], (name, tensor) => (name, name == "decoder.conv_in.weight" ? WithLast(tensor, value) : tensor));
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint))
            .Should().Throw<CheckpointException>().WithMessage("vae: 'decoder.conv_in.weight'*diffusion_pytorch_model.safetensors*NaN*");
    }

    [Fact]
    public void Load_NumberBeyondTheWantedDType_IsRefused()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.Rewrite(folder[CheckpointFiles.VaeWeights], (name, tensor) => (name, name == "quant_conv.bias" ? tensor.fill_(1e6f) : tensor));
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint, dtype: ScalarType.Float16))
            .Should().Throw<CheckpointException>().WithMessage("*'quant_conv.bias'*beyond Float16*");
    }

    [Fact]
    public void Load_IntegerWeights_AreRefusedByDType()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.Rewrite(folder[CheckpointFiles.VaeWeights], (name, tensor) => (name, name == "quant_conv.bias" ? tensor.to(ScalarType.Int8) : tensor));
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint)).Should().Throw<CheckpointException>().WithMessage("*'quant_conv.bias' is stored as I8*");
    }

    [Fact]
    public void Load_AttentionInOldNamesAndAsConvolutions_GivesTheSamePicture()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        (string New, string Old)[] names = [(".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")];
        CheckpointFiles.Rewrite(folder[CheckpointFiles.VaeWeights], (name, value) => name.Contains("attentions.0.to_", StringComparison.Ordinal)
            ? (names.Aggregate(name, (n, pair) => n.Replace(pair.New, pair.Old)), value.dim() == 2 ? value.unsqueeze(-1).unsqueeze(-1) : value)
            : (name, value));

        DecodeWith(folder.Path).Should().Equal(DecodeWith(CheckpointFiles.Golden("sd1")));
    }

    [Fact]
    public void Load_TextEncoderWithoutPrefix_GivesTheSameEmbeddings()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.Rewrite(folder[CheckpointFiles.TextWeights], (name, value) => (name.Replace("text_model.", ""), value));

        EncodeWith(folder.Path).Should().Equal(EncodeWith(CheckpointFiles.Golden("sd1")));
    }

    [Fact]
    public void Load_CheckpointDisposed_ModelLivesOn()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        float[] expected = DecodeWith(folder.Path);
        AutoencoderKL vae;
        using (NewDisposeScope())
        using (var checkpoint = Checkpoint.Open(folder.Path))
        {
            vae = AutoencoderKL.Load(checkpoint);
        }

        using var decoded = vae.Decode(Latents());

        decoded.data<float>().ToArray().Should().Equal(expected);
        vae.Dispose();
    }

    [Fact]
    public void Load_FilesDType_ParametersAreViewsOfTheMappedFile()
    {
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));

        using var unet = UNet2DConditionModel.Load(checkpoint);

        long bytes = new FileInfo(Path.Combine(CheckpointFiles.Golden("sd1"), CheckpointFiles.UNetWeights)).Length;
        unet.parameters().Should().OnlyContain(p => p.storage<float>().Count == bytes / sizeof(float));
    }

    [Fact]
    public void Dispose_OfTheModel_ReleasesTheMappedFile()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mappings are looked up in /proc");
        using var folder = CheckpointFiles.Copy("sd1");
        UNet2DConditionModel unet;
        using (var checkpoint = Checkpoint.Open(folder.Path))
        {
            unet = UNet2DConditionModel.Load(checkpoint);
        }

        File.ReadAllText("/proc/self/maps").Should().Contain(folder.Path);
        unet.Dispose();
        File.ReadAllText("/proc/self/maps").Should().NotContain(folder.Path);
    }

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float32)]
    public void Load_WantedDType_IsThatOfEveryParameter(ScalarType dtype)
    {
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("variants"));

        using var unet = UNet2DConditionModel.Load(checkpoint, "unet_sd2_fp16", dtype: dtype);

        unet.parameters().Should().OnlyContain(p => p.dtype == dtype && !p.requires_grad);
        unet.training.Should().BeFalse();
    }

    private static Tensor WithLast(Tensor tensor, float value)
    {
        tensor.view(-1)[^1] = value;
        return tensor;
    }

    private static Tensor Latents() => (arange(4 * 8 * 8, ScalarType.Float32) / 100).sin().view(1, 4, 8, 8);

    private static float[] DecodeWith(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        using var vae = AutoencoderKL.Load(checkpoint);
        using var decoded = vae.Decode(Latents());
        return decoded.data<float>().ToArray();
    }

    private static float[] EncodeWith(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        using var text = ClipTextModel.Load(checkpoint);
        using var embeddings = text.Encode(arange(77, ScalarType.Int64).view(1, 77));
        return embeddings.data<float>().ToArray();
    }
}
