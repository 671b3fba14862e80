using System.Text.Json.Nodes;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Registry.Tests.Publishing;

/// <summary>Pushes the golden model with one thing wrong in its files.</summary>
public sealed class UnusableModelTests : RegistryTest
{
    private ModelFolder Model { get => field ??= new ModelFolder(Folder["model"]); }

    [Theory]
    [InlineData("vae/config.json", "vae/config.json: is missing")]
    [InlineData("scheduler/scheduler_config.json", "scheduler/scheduler_config.json: is missing")]
    [InlineData("tokenizer/vocab.json", "tokenizer/vocab.json: is missing")]
    [InlineData("tokenizer/merges.txt", "tokenizer/merges.txt: is missing")]
    [InlineData("text_encoder/model.safetensors", "text_encoder/: has no .safetensors file")]
    public Task Push_WithoutAFile_IsRefusedNamingIt(string file, string detail)
    {
        Model.Delete(file);

        return ShouldFailAsync(detail);
    }

    [Theory]
    [InlineData("unet/config.json", "cross_attention_dim", 48, "unet/config.json: cross_attention_dim is 48, and the text encoder's hidden_size is 32*")]
    [InlineData("unet/config.json", "out_channels", 8, "unet/config.json: out_channels is 8, and the vae has 4 latent_channels*")]
    [InlineData("unet/config.json", "in_channels", 5, "unet/config.json: in_channels is 5, where the vae's 4 latent_channels ask for 4, or 9*")]
    [InlineData("unet/config.json", "in_channels", 9, "unet/*: 'conv_in.weight' has the shape [24, 4, 3, 3], and unet/config.json says in_channels 9")]
    [InlineData("unet/config.json", "sample_size", 0, "unet/config.json: sample_size is 0, where a whole number from 1 is needed")]
    [InlineData("unet/config.json", "sample_size", null, "unet/config.json: sample_size is missing")]
    [InlineData("vae/config.json", "latent_channels", 16, "unet/config.json: out_channels is 4, and the vae has 16 latent_channels*")]
    [InlineData("text_encoder/config.json", "hidden_size", "32", "text_encoder/config.json: hidden_size is \"32\", where a whole number*")]
    [InlineData("text_encoder/config.json", "vocab_size", 900, "tokenizer/vocab.json: '*' has the id *, and text_encoder/config.json has a vocab_size of 900")]
    [InlineData("scheduler/scheduler_config.json", "prediction_type", "flow", "scheduler/scheduler_config.json: prediction_type is 'flow', where one of*")]
    [InlineData("scheduler/scheduler_config.json", "_class_name", null, "scheduler/scheduler_config.json: _class_name is missing")]
    [InlineData("model_index.json", "vae", null, "model_index.json: names no vae")]
    public Task Push_WithAConfigurationThatDoesNotFit_IsRefusedNamingFileAndFault(string file, string key, object? value, string detail)
    {
        Model.Set(file, key, value is null ? null : JsonValue.Create(value));

        return ShouldFailAsync(detail);
    }

    [Fact]
    public Task Push_WithWeightsOfAnotherComponent_IsRefused()
    {
        File.Copy(Model["vae/diffusion_pytorch_model.safetensors"], Model[ModelFolder.Unet], overwrite: true);

        return ShouldFailAsync($"{ModelFolder.Unet}: has no tensor 'conv_in.weight': these are not the weights of a unet");
    }

    [Fact]
    public Task Push_WithBrokenJson_IsRefusedNamingTheFile()
    {
        Model.Write("vae/config.json", "{ \"latent_channels\": 4,"u8);

        return ShouldFailAsync("vae/config.json: is not valid JSON*");
    }

    [Fact]
    public Task Push_WithAListForAConfiguration_IsRefusedNamingTheFile()
    {
        Model.Write("vae/config.json", "[]"u8);

        return ShouldFailAsync("vae/config.json: holds a JSON Array where an object is needed");
    }

    [Fact]
    public async Task Push_OfASchedulerFileWithBareInfinity_Succeeds()
    {
        string scheduler = Golden("models", "variants", "scheduler_dpmpp_as_diffusers_writes_it", "scheduler_config.json");
        Model.Write("scheduler/scheduler_config.json", File.ReadAllBytes(scheduler));

        var pushed = await PushAsync(Model.FullPath);

        File.ReadAllText(scheduler).Should().Contain("-Infinity");
        pushed.Version.Traits.Scheduler.Should().Be("DPMSolverMultistepScheduler");
    }

    [Fact]
    public async Task Push_OfAShardIndexThatNamesNoSuchTensor_IsRefused()
    {
        const string Index = "unet/diffusion_pytorch_model.safetensors.index.json";
        Model.Write(Index, """{"weight_map": {"missing.weight": "diffusion_pytorch_model.safetensors"}}"""u8);

        await ShouldFailAsync($"{Index}: says that missing.weight is in '{ModelFolder.Unet}', which is not so");
    }

    [Theory]
    [InlineData("sdxl", "model_index.json: * belongs to a family of models that cannot be served")]
    [InlineData("flux_dev", "model_index.json: names no unet")]
    public async Task Push_OfAnotherFamily_IsRefused(string model, string detail)
    {
        var failure = (await FluentActions.Awaiting(() => PushAsync(Golden("models", model))).Should().ThrowAsync<RpcException>()).Which;

        failure.Status.Detail.Should().Match(detail);
    }

    [Theory]
    [InlineData("PK\u0003\u0004a zip archive", "*not safetensors: a zip archive, most likely a PyTorch pickle*")]
    [InlineData("\u0008\u0000\u0000\u0000\u0000\u0000\u0000\u0000{}", "*truncated: the header is said to have 8 bytes and only 2 follow")]
    [InlineData("\u0002\u0000\u0000\u0000\u0000\u0000\u0000\u0000{}beyond", "*6 bytes at the end belong to no tensor")]
    public async Task Publish_OfWeightsThatAreNotSafetensors_IsRefusedByTheRegistryToo(string text, string detail)
    {
        byte[] content = System.Text.Encoding.Latin1.GetBytes(text);
        var digest = Digest.Of(content);
        await UploadAsync(Start(digest, content.Length), Data(content));
        var pushed = await PushAsync(Model.FullPath);
        var manifest = await Client.GetManifestAsync(pushed.Version.Digest, Cancellation);
        var unet = manifest.Files.Single(file => file.Path == ModelFolder.Unet);
        unet.Parts.Clear();
        unet.Parts.Add(new ManifestPart { Sha256 = digest.ToByteString(), Size = content.Length });
        (unet.Sha256, unet.Size) = (digest.ToByteString(), content.Length);

        var publish = async () => await Rpc.PublishAsync(new PublishRequest { Model = "tiny", Manifest = manifest }, cancellationToken: Cancellation);

        var failure = (await publish.Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(StatusCode.InvalidArgument);
        failure.Status.Detail.Should().Match(ModelFolder.Unet + ": " + detail);
    }

    private async Task ShouldFailAsync(string detail)
    {
        var failure = (await FluentActions.Awaiting(() => PushAsync(Model.FullPath)).Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(StatusCode.InvalidArgument);
        failure.Status.Detail.Should().Match(detail);
    }
}
