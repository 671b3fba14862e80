using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class CheckpointTests
{
    [Fact]
    public void Open_DiffusersFolder_HasItsComponents()
    {
        using var checkpoint = Checkpoint.Open(CheckpointFiles.Golden("sd1"));

        new[] { "text_encoder", "unet", "vae", "scheduler" }.Should().OnlyContain(c => checkpoint.Has(c));
        checkpoint.Has("text_encoder_2").Should().BeFalse();
        checkpoint.Config("scheduler").GetProperty("_class_name").GetString().Should().Be("PNDMScheduler");
        checkpoint.Files.Locate("unet/config.json").Should().Be(Path.Combine(CheckpointFiles.Golden("sd1"), "unet/config.json"));
    }

    [Fact]
    public void Open_NothingThere_NamesThePath()
    {
        FluentActions.Invoking(() => Checkpoint.Open("/no/such/model")).Should().Throw<CheckpointException>().WithMessage("*/no/such/model*");
    }

    [Fact]
    public void Open_EmptyFolder_SaysWhatIsNeeded()
    {
        using var folder = new TemporaryFolder();

        FluentActions.Invoking(() => Checkpoint.Open(folder.Path)).Should().Throw<CheckpointException>().WithMessage("*component folders*or one .safetensors file*");
    }

    [Fact]
    public void Open_SeveralSingleFiles_ListsThem()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.safetensors"], "");
        File.WriteAllText(folder["b.safetensors"], "");

        FluentActions.Invoking(() => Checkpoint.Open(folder.Path)).Should().Throw<CheckpointException>().WithMessage("*a.safetensors, b.safetensors*");
    }

    [Fact]
    public void Config_BareInfinity_IsRead()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        File.WriteAllText(folder["scheduler", "scheduler_config.json"], """{"lambda_min_clipped": -Infinity, "note": "not -Infinity"}""");
        using var checkpoint = Checkpoint.Open(folder.Path);

        var config = checkpoint.Config("scheduler");

        config.GetProperty("lambda_min_clipped").GetDouble().Should().Be(double.NegativeInfinity);
        config.GetProperty("note").GetString().Should().Be("not -Infinity");
    }

    [Fact]
    public void Config_DamagedJson_NamesTheFile()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        File.WriteAllText(folder["unet", "config.json"], """{"in_channels": """);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => checkpoint.Config("unet")).Should().Throw<CheckpointException>().WithMessage("*unet*config.json is not valid JSON*");
    }

    [Fact]
    public void Load_ComponentMissing_NamesIt()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        Directory.Delete(folder["vae"], recursive: true);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint)).Should().Throw<CheckpointException>().WithMessage("*no component 'vae'*");
    }

    [Fact]
    public void Load_OnlyAPickleThere_SaysWhyItIsNotRead()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        File.Move(folder[CheckpointFiles.UNetWeights], folder["unet", "diffusion_pytorch_model.bin"]);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => UNet2DConditionModel.Load(checkpoint)).Should().Throw<CheckpointException>().WithMessage("*'unet'*pickles*not read*");
    }

    [Fact]
    public void Load_SeveralForms_TakesThePlainOne()
    {
        using var folder = CheckpointFiles.Copy("sd1");
        File.WriteAllText(folder["unet", "diffusion_pytorch_model.fp16.safetensors"], "would be refused");
        using var checkpoint = Checkpoint.Open(folder.Path);

        using var unet = UNet2DConditionModel.Load(checkpoint);

        unet.Config.InChannels.Should().Be(4);
    }

    [Fact]
    public void Load_ShardMissing_NamesIt()
    {
        using var folder = CheckpointFiles.Copy("variants");
        File.Delete(folder["unet_sd2_sharded", "diffusion_pytorch_model-00002-of-00003.safetensors"]);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => UNet2DConditionModel.Load(checkpoint, "unet_sd2_sharded"))
            .Should().Throw<CheckpointException>().WithMessage("*shards that are not there: diffusion_pytorch_model-00002-of-00003.safetensors*");
    }

    [Fact]
    public void Load_ShardOutsideItsFolder_IsRefused()
    {
        using var folder = CheckpointFiles.Copy("variants");
        File.WriteAllText(folder["unet_sd2_sharded", "diffusion_pytorch_model.safetensors.index.json"], """{"weight_map": {"conv_in.bias": "../secret.safetensors"}}""");
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => UNet2DConditionModel.Load(checkpoint, "unet_sd2_sharded")).Should().Throw<CheckpointException>().WithMessage("*'../secret.safetensors'*");
    }

    public static TheoryData<string, byte[], string> DamagedFiles() => new()
    {
        { "a pickle with another name", [0x50, 0x4b, 3, 4, .. new byte[60]], "*PyTorch pickle*" },
        { "a header that is cut", [100, 0, 0, 0, 0, 0, 0, 0, (byte)'{'], "*truncated*" },
        { "a header length beyond the file", [0xff, 0xff, 0xff, 5, 0, 0, 0, 0, (byte)'{'], "*header*" },
        { "overlapping tensors", Bytes("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6), "*overlap*" },
        { "a tensor beyond the file", Bytes("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", 8), "*'a' ends at byte 16*" },
        { "an empty file", [], "*truncated*" },
    };

    [Theory]
    [MemberData(nameof(DamagedFiles))]
    public void Load_DamagedWeights_NamesFileAndFault(string fault, byte[] content, string message)
    {
        using var folder = CheckpointFiles.Copy("sd1");
        File.WriteAllBytes(folder[CheckpointFiles.UNetWeights], content);
        using var checkpoint = Checkpoint.Open(folder.Path);

        FluentActions.Invoking(() => UNet2DConditionModel.Load(checkpoint))
            .Should().Throw<SafetensorsFormatException>(fault).WithMessage(message).WithMessage("*diffusion_pytorch_model.safetensors*");
    }

    [Theory]
    [MemberData(nameof(DamagedFiles))]
    public void Open_DamagedSingleFile_NamesFileAndFault(string fault, byte[] content, string message)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.safetensors"], content);

        FluentActions.Invoking(() => Checkpoint.Open(folder["model.safetensors"]))
            .Should().Throw<SafetensorsFormatException>(fault).WithMessage(message).WithMessage("*model.safetensors*");
    }

    private static byte[] Bytes(string header, int dataLength) =>
        [.. BitConverter.GetBytes((long)header.Length), .. System.Text.Encoding.UTF8.GetBytes(header), .. new byte[dataLength]];
}
