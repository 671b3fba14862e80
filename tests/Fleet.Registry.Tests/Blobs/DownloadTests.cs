using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Registry.Tests.Blobs;

public sealed class DownloadFromFolderTests() : DownloadTests(BlobPlace.Folder);

public sealed class DownloadFromBucketTests() : DownloadTests(BlobPlace.Bucket);

public abstract class DownloadTests(BlobPlace place) : RegistryTest(place: place)
{
    private const int Size = 600_000; // three frames

    private readonly byte[] content = RandomBytes(Size);

    private Digest Digest => Contracts.Registry.Digest.Of(content);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(262_144)]
    [InlineData(599_999)]
    [InlineData(Size)]
    public async Task Download_FromAnOffset_GivesTheRest(int offset)
    {
        await StoreAsync();

        (await DownloadAsync(Digest, offset)).Should().Equal(content[offset..]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(Size + 1)]
    public async Task Download_FromAnOffsetBeyondTheBlob_IsRefused(long offset)
    {
        await StoreAsync();

        await ShouldFailAsync(offset, StatusCode.InvalidArgument, $"offset is {offset}; give 0 to {Size}.");
    }

    [Fact]
    public Task Download_OfAnUnknownBlob_IsNotFound() => ShouldFailAsync(0, StatusCode.NotFound, $"the registry has no blob {Digest}");

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 599_999)]
    [InlineData(500_000, 10)]
    public async Task Download_OfABlobThatChangedOnDisk_IsRefusedByNameAndNeverComplete(int offset, int changedByte)
    {
        await StoreAsync();
        byte[] changed = [.. content];
        changed[changedByte] ^= 0x40;
        File.WriteAllBytes(BlobPath(Digest), changed);

        using var call = Rpc.DownloadBlob(new DownloadBlobRequest { Sha256 = Digest.ToByteString(), Offset = offset }, cancellationToken: Cancellation);
        long received = 0;
        var reading = async () =>
        {
            await foreach (var response in call.ResponseStream.ReadAllAsync(Cancellation))
            {
                received += response.Data.Length;
            }
        };

        var failure = (await reading.Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(StatusCode.DataLoss);
        failure.Status.Detail.Should().StartWith($"blob {Digest} is damaged");
        received.Should().BeLessThan(Size - offset);
    }

    [Fact]
    public async Task Download_OfATruncatedBlob_IsRefusedAndUploadingItAgainRepairsIt()
    {
        await StoreAsync();
        File.WriteAllBytes(BlobPath(Digest), content[..1000]);

        await ShouldFailAsync(0, StatusCode.DataLoss, $"blob {Digest} is damaged*");
        (await HasAsync(Digest)).Should().BeFalse();
        await StoreAsync();

        (await DownloadAsync(Digest)).Should().Equal(content);
    }

    [Fact]
    public async Task Upload_OfABlobThatIsTruncatedOnDisk_RepairsIt()
    {
        await StoreAsync();
        File.WriteAllBytes(BlobPath(Digest), []);

        await StoreAsync();

        (await DownloadAsync(Digest)).Should().Equal(content);
    }

    private Task StoreAsync() =>
        UploadAsync([Start(Digest, Size), .. content.Chunk(262_144).Select(chunk => Data(chunk))]);

    private async Task ShouldFailAsync(long offset, StatusCode code, string detail)
    {
        var failure = (await FluentActions.Awaiting(() => DownloadAsync(Digest, offset)).Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(code);
        failure.Status.Detail.Should().Match(detail);
    }
}
