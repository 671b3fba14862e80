using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Serving.Versions;
using Fleet.Testing;
using Microsoft.Extensions.Options;

namespace Fleet.Serving.Tests.Versions;

public sealed class VersionStoreTests : IAsyncLifetime
{
    private const string VaeFile = "vae/diffusion_pytorch_model.safetensors";

    private static readonly string Model = Path.Combine(Repository.OwnGolden, "models", "sd1");

    private readonly TemporaryFolder folder = new();
    private readonly List<RegistryClient> clients = [];
    private readonly LogList<VersionStore> log = new();
    private RunningRegistry registry = null!;
    private string version = "";
    private Manifest manifest = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        registry = await RunningRegistry.StartAsync(folder["registry"]);
        version = await PushAsync(Model);
        manifest = await registry.Client.GetManifestAsync(version, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        clients.ForEach(client => client.Dispose());
        await registry.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task Open_FetchesTheWantedFilesAndNoOthers()
    {
        using var files = await Store().OpenAsync(version, OfVae, Cancellation);

        files.Files.Paths.Should().BeEquivalentTo("vae/config.json", VaeFile);
        File.ReadAllBytes(files.Files.Locate("vae/config.json")).Should().Equal(File.ReadAllBytes(Path.Combine(Model, "vae/config.json")));
        ShouldHoldTheWeights(files.Files, VaeFile);
        Parts().Should().BeEquivalentTo(PartsOf(manifest.Files.Where(file => OfVae(file.Path))));
        files.FetchedBytes.Should().Be(PartBytes());
    }

    [Fact]
    public async Task Open_OfAVersionThatSharesParts_FetchesTheOthersOnly()
    {
        string other = await PushAsync(ChangedModel());
        var store = Store();
        using var first = await store.OpenAsync(version, _ => true, Cancellation);
        long before = PartBytes();

        using var second = await store.OpenAsync(other, _ => true, Cancellation);

        second.FetchedBytes.Should().Be(PartBytes() - before).And.BeInRange(1, before / 20);
        ShouldHoldTheWeights(first.Files, VaeFile);
    }

    [Fact]
    public async Task Open_ByManyAtOnceThroughTwoStoresOfOneFolder_FetchesEachPartOnce()
    {
        VersionStore[] stores = [Store(), Store()];

        var opened = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => stores[i % 2].OpenAsync(version, OfVae, Cancellation)));

        opened.Sum(files => files.FetchedBytes).Should().Be(PartBytes());
        log.Messages.Count(message => message.StartsWith("Fetching part", StringComparison.Ordinal)).Should().Be(Parts().Count());
        Array.ForEach(opened, files => files.Dispose());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Open_OfAPartThatWasDamaged_NamesItAndFetchesItAgain(bool truncated)
    {
        (await Store().OpenAsync(version, OfVae, Cancellation)).Dispose();
        string path = PartPath(PartsOf(manifest.Files.Where(file => file.Path == VaeFile)).Last());
        byte[] content = File.ReadAllBytes(path);
        content[^1] ^= 0x10;
        File.WriteAllBytes(path, truncated ? content[..^1] : content);

        using var files = await Store().OpenAsync(version, OfVae, Cancellation);

        ShouldHoldTheWeights(files.Files, VaeFile);
        files.FetchedBytes.Should().Be(content.Length);
        log.Messages.Should().Contain($"{path} is damaged; it is discarded and fetched again");
    }

    [Fact]
    public async Task Open_OfAPartThatChangedWhileThisProcessRuns_FetchesItAgain()
    {
        var store = Store();
        (await store.OpenAsync(version, OfVae, Cancellation)).Dispose();
        string path = PartPath(PartsOf(manifest.Files.Where(file => file.Path == VaeFile)).Last());
        File.WriteAllBytes(path, new byte[new FileInfo(path).Length]);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(1));

        using var files = await store.OpenAsync(version, OfVae, Cancellation);

        ShouldHoldTheWeights(files.Files, VaeFile);
    }

    [Fact]
    public async Task Open_AfterAFetchThatWasCut_KeepsThePartsThatCame()
    {
        string last = PartsOf(manifest.Files.Where(file => file.Path == VaeFile)).Last();
        byte[] blob = File.ReadAllBytes(BlobPath(last));
        File.Delete(BlobPath(last));
        var open = () => Store().OpenAsync(version, OfVae, Cancellation);
        await open.Should().ThrowAsync<Exception>();
        long kept = PartBytes();
        File.WriteAllBytes(BlobPath(last), blob);

        using var files = await open();

        files.FetchedBytes.Should().Be(PartBytes() - kept).And.BeLessThan(PartBytes());
        ShouldHoldTheWeights(files.Files, VaeFile);
    }

    [Fact]
    public async Task Open_WithoutTheRegistry_ServesWhatIsComplete()
    {
        (await Store().OpenAsync(version, OfVae, Cancellation)).Dispose();
        await registry.DisposeAsync();
        var store = Store();

        using var files = await store.OpenAsync(version, OfVae, Cancellation);
        var openMore = () => store.OpenAsync(version, _ => true, Cancellation);

        ShouldHoldTheWeights(files.Files, VaeFile);
        await openMore.Should().ThrowAsync<UnavailableException>().WithMessage($"version {version} is not complete on this machine*");
    }

    [Fact]
    public async Task Open_OfAnUnknownVersion_IsNotFound()
    {
        string unknown = "sha256:" + new string('0', 64);

        var open = () => Store().OpenAsync(unknown, _ => true, Cancellation);

        await open.Should().ThrowAsync<NotFoundException>().WithMessage($"*{unknown}*");
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha256:../../etc")]
    public async Task Open_OfWhatIsNoDigest_IsRefused(string name)
    {
        var open = () => Store().OpenAsync(name, _ => true, Cancellation);

        await open.Should().ThrowAsync<InvalidRequestException>().WithMessage("version is *");
    }

    [Fact]
    public async Task Open_OfABlobThatIsDamagedInTheRegistry_NamesItAndSucceedsOnceItIsRepaired()
    {
        string blob = PartsOf(manifest.Files.Where(file => file.Path == VaeFile)).Last();
        File.WriteAllBytes(BlobPath(blob), new byte[new FileInfo(BlobPath(blob)).Length]);
        var store = Store();

        var open = () => store.OpenAsync(version, OfVae, Cancellation);

        await open.Should().ThrowAsync<PreconditionException>().WithMessage($"*blob {blob} is damaged*");
        await PushAsync(Model);
        using var files = await open();
        ShouldHoldTheWeights(files.Files, VaeFile);
    }

    [Fact]
    public async Task Open_WithADamagedManifestOnThisMachine_FetchesItAgain()
    {
        (await Store().OpenAsync(version, OfVae, Cancellation)).Dispose();
        File.WriteAllText(folder["store", "manifests", version["sha256:".Length..]], "damaged");

        using var files = await Store().OpenAsync(version, OfVae, Cancellation);

        ShouldHoldTheWeights(files.Files, VaeFile);
    }

    [Fact]
    public async Task Open_WithAStoreOfWholeFiles_RemovesThem()
    {
        Directory.CreateDirectory(folder["store", "versions", "ab"]);
        Directory.CreateDirectory(folder["store", "locks"]);
        File.WriteAllText(folder["store", "versions", "ab", "model.safetensors"], "old");

        using var files = await Store().OpenAsync(version, OfVae, Cancellation);

        Directory.GetDirectories(folder["store"]).Select(Path.GetFileName).Should().BeEquivalentTo("parts", "arriving", "manifests", "uses", "holds");
        log.Messages.Should().ContainMatch("*whole files of versions; they were removed*");
    }

    [Fact]
    public async Task Open_BeyondTheLimit_RemovesTheVersionUnusedForLongestAndKeepsSharedParts()
    {
        string other = await PushAsync(ChangedModel());
        (await Store().OpenAsync(version, _ => true, Cancellation)).Dispose();
        long full = PartBytes();

        using var files = await Store(full).OpenAsync(other, _ => true, Cancellation);

        PartBytes().Should().BeLessThanOrEqualTo(full);
        Parts().Should().BeEquivalentTo(PartsOf((await registry.Client.GetManifestAsync(other, Cancellation)).Files));
        log.Messages.Should().Contain($"Removing {version} from this machine to make room: it was unused for longest");
    }

    [Fact]
    public async Task Open_BeyondTheLimitWithTheOtherVersionInUse_IsRefusedAndRemovesNothing()
    {
        string other = await PushAsync(ChangedModel());
        using var inUse = await Store().OpenAsync(version, _ => true, Cancellation);
        string[] before = [.. Parts()];

        var open = () => Store(PartBytes()).OpenAsync(other, _ => true, Cancellation);

        await open.Should().ThrowAsync<OverloadedException>().WithMessage($"*versions in use take {PartBytes()} of the {PartBytes()}*");
        Parts().Should().BeEquivalentTo(before);
        inUse.Dispose();
        (await open()).Dispose();
    }

    [Fact]
    public async Task Open_OfAVersionLargerThanTheLimit_SaysBothNumbers()
    {
        var open = () => Store(1000).OpenAsync(version, OfVae, Cancellation);

        await open.Should().ThrowAsync<PreconditionException>().WithMessage("*needs * bytes more on disk, and Store:MaxBytes is 1000*");
    }

    [Fact]
    public async Task Open_BeyondTheLimit_RemovesPartsOfNoVersionFirst()
    {
        string orphan = new('a', 64);
        Directory.CreateDirectory(folder["store", "parts", "aa"]);
        File.WriteAllBytes(folder["store", "parts", "aa", orphan], new byte[1 << 20]);
        long needed = manifest.Files.Where(file => OfVae(file.Path)).SelectMany(file => file.Parts).DistinctBy(part => part.Sha256).Sum(part => part.Size);

        using var files = await Store(Math.Max(needed, 1 << 20) + 10).OpenAsync(version, OfVae, Cancellation);

        Parts().Should().NotContain(orphan);
    }

    private static bool OfVae(string path) => path.StartsWith("vae/", StringComparison.Ordinal);

    private static string[] PartsOf(IEnumerable<ManifestFile> files) =>
        [.. files.SelectMany(file => file.Parts).Select(part => Digest.FromBytes(part.Sha256.Span).Hex).Distinct()];

    private static void ShouldHoldTheWeights(IModelFiles files, string path)
    {
        using var expected = SafetensorsFile.Open(Path.Combine(Model, path));
        using var actual = files.Open(path);
        actual.Header.Entries.Should().BeEquivalentTo(expected.Header.Entries);
        actual.Header.Entries.Should().AllSatisfy(entry => actual.Read(entry.Name).bytes.SequenceEqual(expected.Read(entry.Name).bytes).Should().BeTrue());
    }

    private async Task<string> PushAsync(string model) => (await registry.Client.PushAsync(model, "tiny", cancellationToken: Cancellation)).Version.Digest;

    // A copy of the model with another scaling factor and one other weight.
    private string ChangedModel()
    {
        foreach (string file in Directory.GetFiles(Model, "*", SearchOption.AllDirectories))
        {
            string target = folder["changed", Path.GetRelativePath(Model, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        byte[] content = File.ReadAllBytes(folder["changed", VaeFile]);
        content[^1] ^= 1;
        File.WriteAllBytes(folder["changed", VaeFile], content);
        return folder["changed"];
    }

    private VersionStore Store(long maxBytes = 0)
    {
        var client = new RegistryClient(registry.Address);
        clients.Add(client);
        return new VersionStore(client, Options.Create(new VersionStoreOptions { Path = folder["store"], MaxBytes = maxBytes }), log);
    }

    private IEnumerable<string> Parts() =>
        Directory.GetFiles(folder["store", "parts"], "*", SearchOption.AllDirectories).Select(path => Path.GetFileName(path)!);

    private long PartBytes() => Directory.GetFiles(folder["store", "parts"], "*", SearchOption.AllDirectories).Sum(path => new FileInfo(path).Length);

    private string PartPath(string digest) => folder["store", "parts", digest[..2], digest];

    private string BlobPath(string digest) => folder["registry", "blobs", digest[..2], digest];
}
