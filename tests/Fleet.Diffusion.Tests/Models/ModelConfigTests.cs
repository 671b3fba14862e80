using System.Text.Json;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Tests.Weights;
using Fleet.Diffusion.Weights;

namespace Fleet.Diffusion.Tests.Models;

public sealed class ModelConfigTests
{
    [Theory]
    [InlineData("addition_embed_type", "\"text_time\"")]
    [InlineData("class_embed_type", "\"projection\"")]
    [InlineData("num_class_embeds", "1000")]
    [InlineData("dual_cross_attention", "true")]
    [InlineData("time_embedding_type", "\"fourier\"")]
    [InlineData("down_block_types", """["AttnDownBlock2D","DownBlock2D"]""")]
    [InlineData("up_block_types", """["UpBlock2D"]""")]
    [InlineData("mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\"")]
    [InlineData("attention_head_dim", "[8,8,8]")]
    [InlineData("act_fn", "\"tanh\"")]
    [InlineData("cross_attention_dim", "[32, 40]")]
    [InlineData("norm_eps", "\"small\"")]
    [InlineData("brand_new_option", "7")]
    public void Load_UNetOptionNotSupported_IsRefusedByNameAndValue(string option, string value)
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.ChangeConfig(folder["unet", "config.json"], option, value);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => UNet2DConditionModel.Load(checkpoint))
            .Should().Throw<CheckpointException>().WithMessage($"unet: option '{option}'*{value.Trim('"', '[', ']').Split('"')[0]}*");
    }

    [Theory]
    [InlineData("down_block_types", """["AttnDownEncoderBlock2D","DownEncoderBlock2D"]""")]
    [InlineData("latents_mean", "[0,0,0,0]")]
    [InlineData("_class_name", "\"AutoencoderTiny\"")]
    public void Load_AutoencoderOptionNotSupported_IsRefusedByName(string option, string value)
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.ChangeConfig(folder["vae", "config.json"], option, value);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint)).Should().Throw<CheckpointException>().WithMessage($"vae: option '{option}'*");
    }

    [Theory]
    [InlineData("hidden_act", "\"swiglu\"")]
    [InlineData("architectures", """["T5EncoderModel"]""")]
    public void Load_TextEncoderOptionNotSupported_IsRefusedByName(string option, string value)
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.ChangeConfig(folder["text_encoder", "config.json"], option, value);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => ClipTextModel.Load(checkpoint)).Should().Throw<CheckpointException>().WithMessage($"text_encoder: option '{option}'*");
    }

    [Fact]
    public void Parse_EmptyUNetConfig_IsThatOfStableDiffusion1()
    {
        var config = UNet2DConditionConfig.Parse(JsonDocument.Parse("""{"cross_attention_dim": 768, "decay": 0.9999}""").RootElement);

        config.BlockOutChannels.Should().Equal(320, 640, 1280, 1280);
        config.CrossAttentionDim.Should().Be(768);
        config.TimeCondProjDim.Should().BeNull();
    }

    [Fact]
    public void Parse_AutoencoderConfig_KnowsPixelsPerLatent()
    {
        var config = AutoencoderKLConfig.Parse(JsonDocument.Parse("""{"block_out_channels": [128, 256, 512, 512], "shift_factor": null}""").RootElement);

        config.ScaleFactor.Should().Be(8);
        config.ShiftFactor.Should().Be(0);
        config.ScalingFactor.Should().Be(0.18215);
    }
}
