using System.Text.Json;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class SingleFileLayoutTests
{
    [Theory]
    [InlineData("sd1", false)]
    [InlineData("sd2", true)]
    public void Load_SameWeightsInBothLayouts_GiveTheSameModel(string model, bool openClip)
    {
        using var folder = CheckpointFiles.Copy(model);
        CheckpointFiles.WriteSingleFile(folder.Path, folder["model.safetensors"], openClip);
        foreach (string weights in (string[])[CheckpointFiles.UNetWeights, CheckpointFiles.VaeWeights, CheckpointFiles.TextWeights])
        {
            File.Delete(folder[weights]);
        }

        Outputs(folder.Path).Should().Equal(Outputs(CheckpointFiles.Golden(model)));
    }

    [Fact]
    public void Load_ConfigsNowhere_AreToldFromTheShapes()
    {
        using var folder = new TemporaryFolder();
        SyntheticCheckpoint.Write(folder["folder"], SyntheticArchitecture.Named("small"), tokenizerFolder: null);
        CheckpointFiles.WriteSingleFile(folder["folder"], folder["model.safetensors"], openClip: false);

        Outputs(folder["model.safetensors"]).Should().Equal(Outputs(folder["folder"]));
    }

    // The names of SDXL's second text encoder are those of SD 2.x under another prefix; the reference wrote them down.
    [Fact]
    public void Names_OfOpenClip_AreThoseOfTheReference()
    {
        using var map = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.OwnGolden, "singlefile", "sdxl_keymap.json")));
        using var config = JsonDocument.Parse("{}");
        var names = SingleFileLayout.Names("text_encoder", config.RootElement, CheckpointFiles.TextHeader(openClip: true));

        foreach (var entry in map.RootElement.GetProperty("text_encoder_2").EnumerateObject())
        {
            string expected = entry.Value.GetString()!.Replace("conditioner.embedders.1.", "cond_stage_model.");
            names(entry.Name).ToString().Should().Be(expected);
        }
    }

    [Fact]
    public void Load_UnknownTensorsOfAComponent_AreListed()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.WriteSingleFile(folder.Path, folder["model.safetensors"], openClip: false);
        CheckpointFiles.Rewrite(folder["model.safetensors"], (name, value) =>
            (name.Replace("first_stage_model.decoder.conv_out.bias", "first_stage_model.decoder.extra"), value));
        using var checkpoint = Checkpoint.Open(folder["model.safetensors"]);

        var fault = FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint)).Should().Throw<WeightMismatchException>().Which;

        fault.Missing.Should().Equal("decoder.conv_out.bias");
        fault.Unexpected.Should().Equal("first_stage_model.decoder.extra");
    }

    [Fact]
    public void Load_LeftOversOfTraining_AreLeftAlone()
    {
        using var folder = CheckpointFiles.Copy("sd2");
        CheckpointFiles.WriteSingleFile(folder.Path, folder["model.safetensors"], openClip: true);
        AddTensors(folder["model.safetensors"], "model_ema.decay", "first_stage_model.loss.logvar", "cond_stage_model.model.logit_scale",
            "cond_stage_model.model.transformer.resblocks.99.ln_1.weight");
        using var checkpoint = Checkpoint.Open(folder["model.safetensors"]);

        using var vae = AutoencoderKL.Load(checkpoint);
        using var text = ClipTextModel.Load(checkpoint);

        vae.Config.LatentChannels.Should().Be(4);
        text.Config.NumHiddenLayers.Should().Be(5);
    }

    [Fact]
    public void InferConfigs_Sd15Shapes_AreThePublishedConfigs()
    {
        var header = CheckpointFiles.Header(
            ("model.diffusion_model.input_blocks.0.0.weight", [320, 9, 3, 3]),
            ("model.diffusion_model.input_blocks.1.0.in_layers.2.weight", [320, 320, 3, 3]),
            ("model.diffusion_model.input_blocks.4.0.in_layers.2.weight", [640, 320, 3, 3]),
            ("model.diffusion_model.input_blocks.7.0.in_layers.2.weight", [1280, 640, 3, 3]),
            ("model.diffusion_model.input_blocks.10.0.in_layers.2.weight", [1280, 1280, 3, 3]),
            ("model.diffusion_model.middle_block.1.proj_in.weight", [1280, 1280, 1, 1]),
            ("model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight", [1280, 768]));

        var configs = SingleFileLayout.InferConfigs(header);

        var unet = UNet2DConditionConfig.Parse(JsonDocument.Parse(configs["unet/config.json"]).RootElement);
        unet.InChannels.Should().Be(9, "it is an inpainting model");
        unet.BlockOutChannels.Should().Equal(320, 640, 1280, 1280);
        unet.CrossAttentionDim.Should().Be(768);
        configs["scheduler/scheduler_config.json"].Should().Contain("PNDMScheduler").And.Contain("epsilon");
        configs.Should().NotContainKey("vae/config.json", "the file has no autoencoder");
    }

    [Fact]
    public void InferConfigs_Sd2TextEncoder_IsOneLayerShorterThanTheFile()
    {
        (string, long[])[] layers = [.. Enumerable.Range(0, 24).Select(i => ($"cond_stage_model.model.transformer.resblocks.{i}.ln_1.weight", new long[] { 1024 }))];
        var header = CheckpointFiles.Header(
        [
            ("cond_stage_model.model.token_embedding.weight", [49408, 1024]),
            ("cond_stage_model.model.transformer.resblocks.0.mlp.c_fc.weight", [4096, 1024]),
            ("cond_stage_model.model.ln_final.weight", [1024]),
            .. layers,
        ]);

        var config = ClipTextConfig.Parse(JsonDocument.Parse(SingleFileLayout.InferConfigs(header)["text_encoder/config.json"]).RootElement);

        config.NumHiddenLayers.Should().Be(23);
        config.HiddenSize.Should().Be(1024);
    }

    [Fact]
    public void InferConfigs_OtherFile_SaysThatItIsNotTheLayout()
    {
        FluentActions.Invoking(() => SingleFileLayout.InferConfigs(CheckpointFiles.Header(("lora_unet_mid.weight", [4]))))
            .Should().Throw<CheckpointException>().WithMessage("*not in the original layout*model.diffusion_model.*");
    }

    [Fact]
    public void InferConfigs_FileOfSdxl_IsRefusedByFamily()
    {
        FluentActions.Invoking(() => SingleFileLayout.InferConfigs(CheckpointFiles.Header(("model.diffusion_model.label_emb.0.0.weight", [1280, 2816]))))
            .Should().Throw<CheckpointException>().WithMessage("*SDXL*SD 1.x and 2.x are supported*");
    }

    private static void AddTensors(string path, params string[] names)
    {
        var tensors = new List<(string, Tensor)>();
        CheckpointFiles.Rewrite(path, (name, value) =>
        {
            tensors.Add((name, value.clone()));
            return (name, value);
        });
        CheckpointFiles.Write(path, [.. tensors, .. names.Select(name => (name, zeros(1)))]);
    }

    private static float[] Outputs(string path)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(path);
        using var text = ClipTextModel.Load(checkpoint);
        using var unet = UNet2DConditionModel.Load(checkpoint);
        using var vae = AutoencoderKL.Load(checkpoint);
        var latents = (arange(4 * 16 * 16, ScalarType.Float32) / 100).sin().view(1, 4, 16, 16);
        var embeddings = text.Encode(arange(77, ScalarType.Int64).view(1, 77));
        var denoised = unet.forward(latents, tensor(500), embeddings);
        return [.. denoised.data<float>().ToArray(), .. vae.Decode(latents).data<float>().ToArray()];
    }
}
