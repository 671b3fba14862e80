using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Serving.Versions;
using Fleet.Testing;
using Microsoft.Extensions.Options;

namespace Fleet.Serving.Tests.Versions;

public sealed class VersionStoreTests : IAsyncLifetime
{
    private const string UnetFile = "unet/diffusion_pytorch_model.safetensors";

    private static readonly string Model = Path.Combine(Repository.OwnGolden, "models", "sd1");

    private readonly TemporaryFolder folder = new();
    private readonly List<IAsyncDisposable> opened = [];
    private readonly LogList<VersionStore> log = new();
    private RunningRegistry registry = null!;
    private string version = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        registry = await RunningRegistry.StartAsync(folder["registry"]);
        version = (await registry.Client.PushAsync(Model, "tiny", cancellationToken: Cancellation)).Version.Digest;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in opened)
        {
            await store.DisposeAsync();
        }

        await registry.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task Ensure_FetchesTheWantedFilesAndNoOthers()
    {
        string path = await Open().EnsureAsync(version, file => file.StartsWith("vae/", StringComparison.Ordinal), Cancellation);

        Files(path).Should().Equal("vae/config.json", "vae/diffusion_pytorch_model.safetensors");
        Files(path).Should().AllSatisfy(file => ShouldBeRight(path, file));
    }

    [Fact]
    public async Task Ensure_OfMoreFilesLater_FetchesThoseOnly()
    {
        var store = Open();
        await store.EnsureAsync(version, file => file.StartsWith("vae/", StringComparison.Ordinal), Cancellation);

        string path = await store.EnsureAsync(version, _ => true, Cancellation);

        Files(path).Should().Equal(Files(Model));
        Fetched("vae/config.json").Should().Be(1);
    }

    [Fact]
    public async Task Ensure_ByManyAtOnceThroughTwoStoresOfOneFolder_FetchesEachFileOnce()
    {
        VersionStore[] stores = [Open(), Open()];

        string[] paths = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => stores[i % 2].EnsureAsync(version, _ => true, Cancellation)));

        Files(Model).Should().AllSatisfy(file => Fetched(file).Should().Be(1));
        Files(paths[0]).Should().AllSatisfy(file => ShouldBeRight(paths[0], file));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ensure_OfAFileThatWasDamaged_NamesItAndFetchesItsDamagedPartsAgain(bool truncated)
    {
        string path = await Open().EnsureAsync(version, file => file == UnetFile, Cancellation);
        byte[] content = File.ReadAllBytes(Path.Combine(path, UnetFile));
        content[^1] ^= 0x10;
        File.WriteAllBytes(Path.Combine(path, UnetFile), truncated ? content[..5000] : content);

        await Open().EnsureAsync(version, file => file == UnetFile, Cancellation);

        ShouldBeRight(path, UnetFile);
        log.Messages.Should().Contain($"{Path.Combine(path, UnetFile)} is damaged; its damaged parts are discarded and fetched again");
    }

    [Fact]
    public async Task Ensure_OfAFileThatWasDeletedMeanwhile_FetchesItAgain()
    {
        var store = Open();
        string path = await store.EnsureAsync(version, file => file == UnetFile, Cancellation);
        File.Delete(Path.Combine(path, UnetFile));

        await store.EnsureAsync(version, file => file == UnetFile, Cancellation);

        ShouldBeRight(path, UnetFile);
    }

    [Fact]
    public async Task Ensure_AfterACutDownload_KeepsThePartsThatCame()
    {
        var unet = (await registry.Client.GetManifestAsync(version, Cancellation)).Files.Single(file => file.Path == UnetFile);
        byte[] content = File.ReadAllBytes(Path.Combine(Model, UnetFile));
        var store = Open();
        File.WriteAllBytes(folder["store", "partial", Digest.FromBytes(unet.Sha256.Span).Hex], content[..(content.Length / 2)]);
        File.Delete(BlobPath(unet.Parts[1])); // cannot be fetched, and need not be

        string path = await store.EnsureAsync(version, file => file == UnetFile, Cancellation);

        ShouldBeRight(path, UnetFile);
    }

    [Fact]
    public async Task Ensure_WithoutTheRegistry_ServesWhatIsComplete()
    {
        await Open().EnsureAsync(version, file => file == UnetFile, Cancellation);
        await registry.DisposeAsync();
        var store = Open();

        string path = await store.EnsureAsync(version, file => file == UnetFile, Cancellation);
        var ensureMore = () => store.EnsureAsync(version, _ => true, Cancellation);

        ShouldBeRight(path, UnetFile);
        await ensureMore.Should().ThrowAsync<UnavailableException>().WithMessage($"version {version} is not complete on this machine*");
    }

    [Fact]
    public async Task Ensure_OfAnUnknownVersion_IsNotFound()
    {
        string unknown = "sha256:" + new string('0', 64);

        var ensure = () => Open().EnsureAsync(unknown, _ => true, Cancellation);

        await ensure.Should().ThrowAsync<NotFoundException>().WithMessage($"*{unknown}*");
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256:../../etc")]
    public async Task Ensure_OfWhatIsNoDigest_IsRefused(string name)
    {
        var ensure = () => Open().EnsureAsync(name, _ => true, Cancellation);

        await ensure.Should().ThrowAsync<InvalidRequestException>().WithMessage("version is *");
    }

    [Fact]
    public async Task Ensure_OfABlobThatIsDamagedInTheRegistry_NamesItAndSucceedsOnceItIsRepaired()
    {
        var unet = (await registry.Client.GetManifestAsync(version, Cancellation)).Files.Single(file => file.Path == UnetFile);
        File.WriteAllBytes(BlobPath(unet.Parts[4]), new byte[unet.Parts[4].Size]);
        var store = Open();

        var ensure = () => store.EnsureAsync(version, file => file == UnetFile, Cancellation);

        string blob = Digest.FromBytes(unet.Parts[4].Sha256.Span).Hex;
        await ensure.Should().ThrowAsync<PreconditionException>().WithMessage($"*blob {blob} is damaged*");
        await registry.Client.PushAsync(Model, "tiny", cancellationToken: Cancellation);
        ShouldBeRight(await ensure(), UnetFile);
    }

    [Fact]
    public async Task Ensure_WithADamagedManifestOnThisMachine_FetchesItAgain()
    {
        string path = await Open().EnsureAsync(version, file => file == "vae/config.json", Cancellation);
        File.WriteAllText(folder["store", "manifests", Path.GetFileName(path)], "damaged");

        await Open().EnsureAsync(version, file => file == UnetFile, Cancellation);

        ShouldBeRight(path, UnetFile);
    }

    private static string[] Files(string path) =>
        [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(path, file)).Order(StringComparer.Ordinal)];

    private static void ShouldBeRight(string path, string file) =>
        File.ReadAllBytes(Path.Combine(path, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(Model, file))).Should().BeTrue();

    private VersionStore Open()
    {
        var client = new RegistryClient(registry.Address);
        var store = new VersionStore(client, Options.Create(new VersionStoreOptions { Path = folder["store"] }), log);
        opened.Add(store);
        return store;
    }

    private int Fetched(string file) => log.Messages.Count(message => message.StartsWith($"Fetching {file} ", StringComparison.Ordinal));

    private string BlobPath(ManifestPart part)
    {
        string hex = Digest.FromBytes(part.Sha256.Span).Hex;
        return folder["registry", "blobs", hex[..2], hex];
    }
}
