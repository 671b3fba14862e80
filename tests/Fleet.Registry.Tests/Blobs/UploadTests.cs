using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Registry.Tests.Blobs;

public sealed class UploadToFolderTests() : UploadTests(BlobPlace.Folder);

public sealed class UploadToBucketTests() : UploadTests(BlobPlace.Bucket);

public abstract class UploadTests(BlobPlace place) : RegistryTest(place: place)
{
    private readonly byte[] content = RandomBytes(1000);

    private Digest Digest => Contracts.Registry.Digest.Of(content);

    [Fact]
    public async Task Upload_OfSeveralBlobs_CountsThemAndMakesThemVisible()
    {
        var other = Contracts.Registry.Digest.Of("other"u8);

        var response = await UploadAsync(Start(Digest, 1000), Data(content[..600]), Data(content[600..]), Start(other, 5), Data("other"u8.ToArray()));

        response.Should().Be(new UploadBlobsResponse { Blobs = 2, Bytes = 1005 });
        (await DownloadAsync(Digest)).Should().Equal(content);
        (await DownloadAsync(other)).Should().Equal("other"u8.ToArray());
    }

    [Fact]
    public async Task Upload_ThatWasCut_IsInvisibleAndGoesOnAtTheByteHeld()
    {
        await ShouldFailAsync(StatusCode.InvalidArgument, "*400 bytes short*", Start(Digest, 1000), Data(content[..600]));
        (await HasAsync(Digest)).Should().BeFalse();
        await RestartAsync();

        long offset = await OffsetAsync();
        await UploadAsync(Start(Digest, 1000, offset), Data(content[600..]));

        offset.Should().Be(600);
        (await DownloadAsync(Digest)).Should().Equal(content);
    }

    [Fact]
    public async Task Upload_FromTheStartAfterACut_ForgetsWhatWasHeld()
    {
        await ShouldFailAsync(StatusCode.InvalidArgument, "*short*", Start(Digest, 1000), Data(RandomBytes(700, seed: 2)));

        await UploadAsync(Start(Digest, 1000), Data(content));

        (await DownloadAsync(Digest)).Should().Equal(content);
    }

    [Fact]
    public async Task Upload_ThatWasCutAfterItsLastByte_NeedsNoMoreBytes()
    {
        File.WriteAllBytes(Path.Combine(DataPath, "uploads", Digest.Hex), content);

        await UploadAsync(Start(Digest, 1000, await OffsetAsync()));

        (await DownloadAsync(Digest)).Should().Equal(content);
    }

    [Fact]
    public async Task Upload_AtAnotherByteThanHeld_IsAborted()
    {
        await ShouldFailAsync(StatusCode.Aborted, "0 bytes of blob * are uploaded, not 500*", Start(Digest, 1000, 500), Data(content[500..]));
        (await HasAsync(Digest)).Should().BeFalse();
    }

    [Fact]
    public async Task Upload_WhoseDigestLies_IsRefusedAndForgotten()
    {
        var lie = Contracts.Registry.Digest.Of("another content"u8);

        await ShouldFailAsync(StatusCode.InvalidArgument, $"start.sha256 is {lie}; the bytes that came have {Digest}*", Start(lie, 1000), Data(content));

        (await HasAsync(lie)).Should().BeFalse();
        (await Rpc.GetUploadOffsetAsync(new GetUploadOffsetRequest { Sha256 = lie.ToByteString() }, cancellationToken: Cancellation)).Offset.Should().Be(0);
    }

    [Fact]
    public async Task Upload_OfOneBlobByTwoAtOnce_SucceedsForBoth()
    {
        using var slow = Rpc.UploadBlobs(cancellationToken: Cancellation);
        await slow.RequestStream.WriteAsync(Start(Digest, 1000), Cancellation);
        await slow.RequestStream.WriteAsync(Data(content[..600]), Cancellation);

        await UploadAsync(Start(Digest, 1000), Data(content));
        await slow.RequestStream.WriteAsync(Data(content[600..]), Cancellation);
        await slow.RequestStream.CompleteAsync();

        (await slow).Blobs.Should().Be(1);
        (await DownloadAsync(Digest)).Should().Equal(content);
        Directory.EnumerateFiles(Path.Combine(DataPath, "uploads")).Should().BeEmpty();
    }

    [Fact]
    public async Task Upload_OfAKnownBlob_IsAcceptedAndChangesNothing()
    {
        await UploadAsync(Start(Digest, 1000), Data(content));

        var again = await UploadAsync(Start(Digest, 1000), Data(RandomBytes(1000, seed: 3)));

        again.Blobs.Should().Be(1);
        (await DownloadAsync(Digest)).Should().Equal(content);
        Directory.EnumerateFiles(Path.Combine(DataPath, "uploads")).Should().BeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData((64L << 30) + 1)]
    public Task Upload_OfASizeBeyondTheLimits_IsRefused(long size) =>
        ShouldFailAsync(StatusCode.InvalidArgument, $"start.size is {size}; give 1 to 68719476736.", Start(Digest, size));

    [Fact]
    public async Task Upload_ThatClaimsTenGigabytes_TakesTheSpaceOfWhatCame()
    {
        await ShouldFailAsync(StatusCode.InvalidArgument, "*10737417240 bytes short*", Start(Digest, 10L << 30), Data(content));

        new FileInfo(Path.Combine(DataPath, "uploads", Digest.Hex)).Length.Should().Be(1000);
    }

    [Fact]
    public Task Upload_OfDataWithoutStart_IsRefused() =>
        ShouldFailAsync(StatusCode.InvalidArgument, "data is '1000 bytes'; 0 bytes are due.", Data(content));

    [Fact]
    public Task Upload_OfMoreThanTheSize_IsRefused() =>
        ShouldFailAsync(StatusCode.InvalidArgument, "data is '1000 bytes'; 999 bytes are due.", Start(Digest, 999), Data(content));

    [Fact]
    public Task Upload_OfAStartBeforeTheLastBlobsEnd_IsRefused() =>
        ShouldFailAsync(StatusCode.InvalidArgument, "start is *1000 bytes of the last blob*", Start(Digest, 1000), Start(Digest, 1000));

    [Fact]
    public Task Upload_OfAFrameBeyondTheLimit_IsRefused() =>
        ShouldFailAsync(StatusCode.InvalidArgument, "data is 262145; give 1 to 262144.", Start(Digest, 1 << 20), Data(new byte[262145]));

    [Fact]
    public Task Upload_OfADigestOfAnotherLength_IsRefused() =>
        ShouldFailAsync(StatusCode.InvalidArgument, "start.sha256 is '0 bytes'; give the 32 bytes*", new UploadBlobsRequest { Start = new UploadStart { Size = 1 } });

    [Fact]
    public Task Upload_OfAnEmptyMessage_IsRefused() =>
        ShouldFailAsync(StatusCode.InvalidArgument, "message is 'empty'; set start or data.", new UploadBlobsRequest());

    private async Task<long> OffsetAsync() =>
        (await Rpc.GetUploadOffsetAsync(new GetUploadOffsetRequest { Sha256 = Digest.ToByteString() }, cancellationToken: Cancellation)).Offset;

    private async Task ShouldFailAsync(StatusCode code, string detail, params UploadBlobsRequest[] requests)
    {
        var failure = (await FluentActions.Awaiting(() => UploadAsync(requests)).Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(code);
        failure.Status.Detail.Should().Match(detail);
    }
}
