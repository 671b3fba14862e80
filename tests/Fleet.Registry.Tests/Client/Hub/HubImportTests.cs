using Fleet.Client.Hub;
using Fleet.Testing;

namespace Fleet.Registry.Tests.Client.Hub;

public sealed class HubImportTests : IAsyncLifetime
{
    private static readonly string Tiny = Path.Combine(Repository.OwnGolden, "models", "sd1");

    private readonly TemporaryFolder folder = new();
    private HubServer server = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        server = await HubServer.StartAsync();
        foreach (string file in Directory.GetFiles(Tiny, "*", SearchOption.AllDirectories))
        {
            server.Files[Path.GetRelativePath(Tiny, file)] = await File.ReadAllBytesAsync(file, Cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        folder.Dispose();
    }

    [Theory]
    [InlineData("hf://studio/fox", "studio/fox", "main", "")]
    [InlineData("hf://studio/fox@v1.5/sub/model.safetensors", "studio/fox", "v1.5", "sub/model.safetensors")]
    [InlineData("hf://studio/fox@refs/pr/1/unet", "studio/fox", "refs/pr/1", "unet")]
    public void TryParse_OfAReference_GivesItsParts(string text, string repository, string revision, string path) =>
        HubReference.TryParse(text).Should().Be(new HubReference(repository, revision, path));

    [Theory]
    [InlineData("hf://fox")]
    [InlineData("hf://studio/fox/../x")]
    [InlineData("https://studio/fox")]
    public void TryParse_OfSomethingElse_IsNull(string text) => HubReference.TryParse(text).Should().BeNull();

    [Fact]
    public async Task Fetch_OfAPipeline_TakesWhatAPushTakesAndNoMore()
    {
        server.Files["unet/diffusion_pytorch_model.bin"] = new byte[5000];
        server.Files["unet/diffusion_pytorch_model.fp16.safetensors"] = new byte[5000];
        server.Files["samples/fox.png"] = new byte[10];
        server.Files["v1-5-pruned.ckpt"] = new byte[5000];
        server.Files["README.md"] = "---\nlicense: mit\n---"u8.ToArray();

        var imported = await FetchAsync();

        imported.Source.ToString().Should().Be($"hf://studio/fox@{HubServer.Commit}");
        FilesBelow(imported.Path).Should().BeEquivalentTo([.. FilesBelow(Tiny), "README.md"]);
        foreach (string file in FilesBelow(Tiny))
        {
            (await File.ReadAllBytesAsync(Path.Combine(imported.Path, file), Cancellation)).Should().Equal(server.Files[file], file);
        }
    }

    [Fact]
    public async Task Fetch_WithAVariant_TakesItWhereThereIsOne()
    {
        server.Files["unet/diffusion_pytorch_model.fp16.safetensors"] = new byte[5000];

        var imported = await FetchAsync(variant: "fp16");

        FilesBelow(Path.Combine(imported.Path, "unet")).Should().BeEquivalentTo("config.json", "diffusion_pytorch_model.fp16.safetensors");
        FilesBelow(Path.Combine(imported.Path, "vae")).Should().Contain("diffusion_pytorch_model.safetensors");
    }

    [Fact]
    public async Task Fetch_WithAToken_ShowsItToTheHubAndToNobodyElse()
    {
        server.Token = "hf_secret";

        await FetchAsync(token: "hf_secret");

        server.Seen.Where(request => !request.AtContentHost).Should().OnlyContain(request => request.Authorization == "Bearer hf_secret");
        server.Seen.Where(request => request.AtContentHost).Should().NotBeEmpty().And.OnlyContain(request => request.Authorization == null);
    }

    [Fact]
    public async Task Fetch_BrokenOffInTheMiddle_GoesOnWhereItWas()
    {
        const string Unet = "unet/diffusion_pytorch_model.safetensors";
        server.Spoil = (path, attempt, body) => path == Unet && attempt == 0 ? body[..(body.Length / 2)] : body;

        var imported = await FetchAsync();

        (await File.ReadAllBytesAsync(Path.Combine(imported.Path, Unet), Cancellation)).Should().Equal(server.Files[Unet]);
        server.Seen.Where(request => request.AtContentHost && request.Path.EndsWith(Unet)).Should().HaveCount(2)
            .And.Contain(request => request.Range != null && request.Range.StartsWith("bytes="));
    }

    [Fact]
    public async Task Fetch_FromAServerWithoutRanges_StartsTheFileAgain()
    {
        const string Unet = "unet/diffusion_pytorch_model.safetensors";
        server.KnowsRanges = false;
        server.Spoil = (path, attempt, body) => path == Unet && attempt == 0 ? body[..(body.Length / 2)] : body;

        var imported = await FetchAsync();

        (await File.ReadAllBytesAsync(Path.Combine(imported.Path, Unet), Cancellation)).Should().Equal(server.Files[Unet]);
    }

    [Theory]
    [InlineData("unet/diffusion_pytorch_model.safetensors")] // named by SHA-256
    [InlineData("scheduler/scheduler_config.json")] // named by git
    public async Task Fetch_OfWrongBytes_IsTriedAgainAndThenRefused(string file)
    {
        server.Spoil = (path, _, body) => path == file ? Flipped(body) : body;

        var fetch = () => FetchAsync();

        (await fetch.Should().ThrowAsync<HubException>().WithMessage($"{file} arrived damaged 3 times*")).Which.Fault.Should().Be(HubFault.Damaged);
        FilesBelow(folder.Path).Should().NotContain(path => path.EndsWith(file));
    }

    [Fact]
    public async Task Fetch_OfWrongBytesOnce_Succeeds()
    {
        server.Spoil = (path, attempt, body) => attempt == 0 && path.EndsWith(".safetensors") ? Flipped(body) : body;

        var imported = await FetchAsync();

        FilesBelow(imported.Path).Should().BeEquivalentTo(FilesBelow(Tiny));
    }

    [Fact]
    public async Task Fetch_Again_FetchesNoFileTwice()
    {
        await FetchAsync();
        server.Seen.Clear();

        await FetchAsync();

        server.Seen.Should().NotContain(request => request.Path.Contains("resolve"));
    }

    [Theory]
    [InlineData("hf://studio/wolf", HubFault.NotFound, "*Repository not found*")]
    [InlineData("hf://studio/fox@v9", HubFault.NotFound, "*Invalid rev id*")]
    [InlineData("hf://studio/fox/nowhere", HubFault.NotFound, "*neither a file nor a folder*")]
    [InlineData("hf://studio/fox/samples", HubFault.Unusable, "*neither a model_index.json nor a .safetensors*")]
    public async Task Fetch_OfWhatThereIsNot_SaysWhat(string reference, HubFault fault, string message)
    {
        server.Files["samples/fox.png"] = [1];

        var fetch = () => FetchAsync(reference);

        (await fetch.Should().ThrowAsync<HubException>().WithMessage(message)).Which.Fault.Should().Be(fault);
    }

    [Fact]
    public async Task Fetch_OfAGatedRepository_SaysHowToGetIn()
    {
        server.Gated = true;

        var fetch = () => FetchAsync();

        (await fetch.Should().ThrowAsync<HubException>().WithMessage("*restricted*accept the repository's terms*")).Which.Fault.Should().Be(HubFault.NotAllowed);
    }

    [Fact]
    public async Task Fetch_OfAComponentWithPicklesOnly_IsRefusedByName()
    {
        server.Files["vae/diffusion_pytorch_model.bin"] = [1];
        server.Files.Remove("vae/diffusion_pytorch_model.safetensors");

        var fetch = () => FetchAsync();

        (await fetch.Should().ThrowAsync<HubException>().WithMessage("*vae/diffusion_pytorch_model.bin*")).Which.Fault.Should().Be(HubFault.Unusable);
    }

    [Fact]
    public async Task Fetch_OfOneFile_FetchesThatFile()
    {
        server.Files["styles/ink.safetensors"] = await File.ReadAllBytesAsync(Path.Combine(Repository.OwnGolden, "lora", "sd1_kohya.safetensors"), Cancellation);

        var imported = await FetchAsync("hf://studio/fox@refs/pr/1/styles/ink.safetensors");

        imported.Path.Should().EndWith("ink.safetensors");
        server.Seen.Count(request => request.AtContentHost).Should().Be(1);
    }

    private static byte[] Flipped(byte[] body) => [.. body[..^1], (byte)(body[^1] ^ 1)];

    private static IEnumerable<string> FilesBelow(string path) =>
        Directory.GetFiles(path, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(path, file));

    private async Task<ImportedModel> FetchAsync(string reference = "hf://studio/fox", string variant = "", string token = "")
    {
        var options = new HubOptions { Endpoint = server.Address, Token = token, FirstWait = TimeSpan.FromMilliseconds(1) };
        using var hub = new HubClient(options);
        return await new HubImport(hub, options).FetchAsync(HubReference.TryParse(reference)!, folder.Path, variant, cancellationToken: Cancellation);
    }
}
