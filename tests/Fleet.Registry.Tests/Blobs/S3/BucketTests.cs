using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Registry.Tests.Blobs.S3;

public sealed class BucketTests() : RegistryTest(place: BlobPlace.Bucket)
{
    private const int Large = 12_000_000; // three parts

    private readonly byte[] content = RandomBytes(Large);

    private Digest Digest => Contracts.Registry.Digest.Of(content);

    [Fact]
    public async Task PushAndPull_OfAModel_GivesTheSameFiles()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));

        await Client.PullAsync(pushed.Version.Digest, Folder["pulled"], cancellationToken: Cancellation);

        foreach (string file in Directory.EnumerateFiles(Golden("models", "sd1"), "*", SearchOption.AllDirectories))
        {
            byte[] pulled = File.ReadAllBytes(Folder["pulled", Path.GetRelativePath(Golden("models", "sd1"), file)]);
            pulled.AsSpan().SequenceEqual(File.ReadAllBytes(file)).Should().BeTrue(file);
        }
    }

    [Fact]
    public async Task Upload_OfALargeBlob_GoesInPartsAndLeavesNoFileBehind()
    {
        await StoreAsync();

        File.ReadAllBytes(BlobPath(Digest)).AsSpan().SequenceEqual(content).Should().BeTrue();
        Bucket.UnfinishedUploads.Should().Be(0);
        Directory.EnumerateFiles(Path.Combine(DataPath, "uploads")).Should().BeEmpty();
    }

    [Fact]
    public async Task Upload_WhosePartTheStoreRefuses_ShowsNothingAndGoesOnWithoutItsBytes()
    {
        Bucket.Before = request => Task.FromResult<int?>(request.Query["partNumber"] == "2" ? 500 : null);
        await ShouldFailAsync(StoreAsync, StatusCode.Unavailable, "The blob store cannot be used now: *");
        File.Exists(BlobPath(Digest)).Should().BeFalse();
        Bucket.UnfinishedUploads.Should().Be(0);

        Bucket.Before = _ => Task.FromResult<int?>(null);
        await UploadAsync(Start(Digest, Large, Large));

        File.ReadAllBytes(BlobPath(Digest)).AsSpan().SequenceEqual(content).Should().BeTrue();
    }

    [Fact]
    public async Task Download_WhoseConnectionBreaksOff_GoesOnAtTheByteReached()
    {
        await StoreAsync();
        Bucket.Breaks.Enqueue(1_000_000);
        Bucket.Breaks.Enqueue(0);
        Bucket.Breaks.Enqueue(5_000_000);

        byte[] downloaded = await DownloadAsync(Digest);

        downloaded.AsSpan().SequenceEqual(content).Should().BeTrue();
        Bucket.Breaks.Should().BeEmpty();
    }

    [Fact]
    public async Task Download_OfAChangedObject_CopiesItToDamagedAndCountsItAsMissing()
    {
        await StoreAsync();
        File.WriteAllBytes(BlobPath(Digest), new byte[Large]);

        await ShouldFailAsync(() => DownloadAsync(Digest), StatusCode.DataLoss, $"blob {Digest} is damaged*");

        File.Exists(Path.Combine(Bucket.DamagedFolder, Digest.Hex)).Should().BeTrue();
        (await HasAsync(Digest)).Should().BeFalse();
    }

    [Fact]
    public async Task Calls_ToAStoreThatRefusesThem_AreUnavailableAndNeverTellTheSecret()
    {
        string[] settings = [.. Bucket.Settings, "--Registry:S3:SecretKey=another-secret"];
        await using var wrong = await RunningRegistry.StartAsync(Folder["wrong"], settings: settings);
        var request = new FindMissingBlobsRequest { Sha256 = { Digest.ToByteString() } };

        var failure = await ShouldFailAsync(
            () => wrong.Rpc.FindMissingBlobsAsync(request, cancellationToken: Cancellation).ResponseAsync, StatusCode.Unavailable, "*");

        failure.ToString().Should().NotContain("another-secret");
    }

    private Task StoreAsync() => UploadAsync([Start(Digest, Large), .. content.Chunk(262_144).Select(chunk => Data(chunk))]);
}
