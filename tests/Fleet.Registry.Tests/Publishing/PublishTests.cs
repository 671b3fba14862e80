using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Registry.Tests.Publishing;

/// <summary>Publishes the golden model with one thing wrong in its manifest.</summary>
public sealed class PublishTests : RegistryTest
{
    private Manifest manifest = new();

    [Theory]
    [InlineData("../escape.json")]
    [InlineData("unet/../../escape.json")]
    [InlineData("/etc/passwd")]
    [InlineData("unet\\config.json")]
    [InlineData("unet//config.json")]
    [InlineData("./config.json")]
    [InlineData("")]
    [InlineData("naïve.json")]
    [InlineData("line\nfeed")]
    public async Task Publish_OfAPathThatIsNotPlain_IsRefusedNamingIt(string path)
    {
        await PrepareAsync();
        manifest.Files[0].Path = path;

        await ShouldFailAsync(StatusCode.InvalidArgument, $"manifest.files.path is {path}; give a relative path*");
    }

    [Theory]
    [InlineData("unet/config.json", "list each path once*")]
    [InlineData("UNET/config.json", "list each path once*")]
    [InlineData("unet", "rename one: 'unet' is a file and cannot be a folder too.")]
    public async Task Publish_OfAPathThatCollides_IsRefusedNamingIt(string path, string remedy)
    {
        await PrepareAsync();
        manifest.Files.Add(new ManifestFile(manifest.Files[0]) { Path = path });

        await ShouldFailAsync(StatusCode.InvalidArgument, $"manifest.files.path is *; {remedy}");
    }

    [Fact]
    public async Task Publish_WithoutFiles_IsRefused() =>
        await ShouldFailAsync(StatusCode.InvalidArgument, "manifest.files is 0; give 1 to 10000 files.");

    [Fact]
    public async Task Publish_OfAFileWhoseSizeLies_IsRefused()
    {
        await PrepareAsync();
        File("model_index.json").Size++;

        await ShouldFailAsync(StatusCode.InvalidArgument, "manifest.files['model_index.json'].size is 512; its parts have 511 bytes together.");
    }

    [Fact]
    public async Task Publish_OfAPartWhoseSizeLies_IsRefused()
    {
        await PrepareAsync();
        File("model_index.json").Size++;
        File("model_index.json").Parts[0].Size++;

        await ShouldFailAsync(StatusCode.InvalidArgument, "manifest.files['model_index.json'].parts.size is 512; blob * has 511 bytes.");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(long.MaxValue)]
    public async Task Publish_OfAPartBeyondTheLimits_IsRefused(long size)
    {
        await PrepareAsync();
        File("model_index.json").Parts[0].Size = size;

        await ShouldFailAsync(StatusCode.InvalidArgument, $"manifest.files['model_index.json'].parts.size is {size}; give 1 to 68719476736 bytes.");
    }

    [Fact]
    public async Task Publish_OfAFileWhoseDigestLies_IsRefused()
    {
        await PrepareAsync();
        File(ModelFolder.Unet).Sha256 = Digest.Of("a lie"u8).ToByteString();

        await ShouldFailAsync(StatusCode.InvalidArgument, $"manifest.files['{ModelFolder.Unet}'].sha256 is *; its parts together have *");
    }

    [Fact]
    public async Task Publish_OfPartsInAnotherOrder_IsRefused()
    {
        await PrepareAsync();
        var parts = File(ModelFolder.Unet).Parts;
        (parts[1], parts[2]) = (parts[2], parts[1]);

        await ShouldFailAsync(StatusCode.InvalidArgument, $"manifest.files['{ModelFolder.Unet}'].sha256 is *");
    }

    [Fact]
    public async Task Publish_WithoutItsBlobs_NamesTheMissing()
    {
        await PrepareAsync();
        var missing = Digest.Of("never sent"u8);
        File("model_index.json").Parts[0].Sha256 = missing.ToByteString();

        await ShouldFailAsync(StatusCode.FailedPrecondition, $"the registry lacks 1 blobs of this manifest; upload them first: {missing}");
    }

    [Fact]
    public async Task Publish_OfABlobThatChangedOnDisk_NamesItAndANewPushRepairsIt()
    {
        await PrepareAsync();
        var part = File(ModelFolder.Unet).Parts[2];
        var damaged = Digest.FromBytes(part.Sha256.Span);
        System.IO.File.WriteAllBytes(BlobPath(damaged), new byte[part.Size]);

        await ShouldFailAsync(StatusCode.FailedPrecondition, $"blob {damaged} is damaged*push a version that contains it again*", model: "other");
        var repaired = await PushAsync(Golden("models", "sd1"));

        repaired.UploadedBlobs.Should().Be(1);
    }

    [Theory]
    [InlineData("unet/diffusion_pytorch_model.bin")]
    [InlineData("v1-5-pruned.CKPT")]
    public async Task Publish_OfAPickle_SaysHowToConvertIt(string path)
    {
        await PrepareAsync();
        File("model_index.json").Path = path;

        await ShouldFailAsync(StatusCode.InvalidArgument, $"{path}: is a pickle*safetensors.torch.save_file*");
    }

    [Fact]
    public async Task Publish_OfASafetensorsFileInOnePart_IsRefused()
    {
        await PrepareAsync();
        byte[] content = System.IO.File.ReadAllBytes(Golden("models", "sd1", ModelFolder.Unet));
        await UploadAsync([Start(Digest.Of(content), content.Length), .. content.Chunk(262_144).Select(chunk => Data(chunk))]);
        File(ModelFolder.Unet).Parts.Clear();
        File(ModelFolder.Unet).Parts.Add(new ManifestPart { Sha256 = Digest.Of(content).ToByteString(), Size = content.Length });

        await ShouldFailAsync(StatusCode.InvalidArgument, $"{ModelFolder.Unet}: is not divided into its header and its * tensors*");
    }

    [Theory]
    [InlineData("Bad Name", "", 0, "model is 'Bad Name'; give a model name*")]
    [InlineData("tiny", "Bad", 0, "aliases is 'Bad'; give an alias*")]
    [InlineData("tiny", "good", 65537, "description is '65537 bytes'; give at most 65536 bytes.")]
    public async Task Publish_WithABadName_IsRefusedNamingTheField(string model, string alias, int descriptionLength, string detail)
    {
        await PrepareAsync();
        var request = new PublishRequest { Model = model, Manifest = manifest, Aliases = { alias }, Description = new string('x', descriptionLength) };

        await ShouldFailAsync(request, StatusCode.InvalidArgument, detail);
    }

    [Fact]
    public async Task Publish_ThatFails_ShowsNothing()
    {
        await PrepareAsync();
        _ = manifest.Files.Remove(File("tokenizer/vocab.json"));

        await ShouldFailAsync(StatusCode.InvalidArgument, "tokenizer/vocab.json: is missing", model: "hidden");

        (await Rpc.ListVersionsAsync(new ListVersionsRequest { Model = "hidden" }, cancellationToken: Cancellation)).Versions.Should().BeEmpty();
    }

    private async Task PrepareAsync()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        manifest = await Client.GetManifestAsync(pushed.Version.Digest, Cancellation);
    }

    private ManifestFile File(string path) => manifest.Files.Single(file => file.Path == path);

    private Task ShouldFailAsync(StatusCode code, string detail, string model = "tiny") =>
        ShouldFailAsync(new PublishRequest { Model = model, Manifest = manifest }, code, detail);

    private async Task ShouldFailAsync(PublishRequest request, StatusCode code, string detail)
    {
        var publish = async () => await Rpc.PublishAsync(request, cancellationToken: Cancellation);
        var failure = (await publish.Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(code);
        failure.Status.Detail.Should().Match(detail);
    }
}
