using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;

namespace Fleet.Registry.Tests.Upkeep;

public sealed class VerifyBlobsInFolderTests() : VerifyBlobsTests(TestDatabase.Sqlite, BlobPlace.Folder);

public sealed class VerifyBlobsInBucketTests() : VerifyBlobsTests(TestDatabase.Sqlite, BlobPlace.Bucket);

public sealed class VerifyBlobsOnPostgresTests() : VerifyBlobsTests(TestDatabase.Postgres, BlobPlace.Folder);

public abstract class VerifyBlobsTests(TestDatabase kind, BlobPlace place) : RegistryTest(kind, place)
{
    [Fact]
    public async Task VerifyBlobs_OfAnIntactStore_ReadsEveryByte()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));

        var all = await VerifyAsync();

        all.Damaged.Should().BeEmpty();
        all.Missing.Should().BeEmpty();
        all.Should().Match<VerifyBlobsResponse>(last => last.Done && last.Bytes == pushed.UploadedBytes && last.Blobs == pushed.UploadedBlobs);
        all.Should().Match<VerifyBlobsResponse>(last => last.TotalBytes == pushed.UploadedBytes && last.TotalBlobs == pushed.UploadedBlobs);
    }

    [Fact]
    public async Task VerifyBlobs_OfDamagedAndMissingBlobs_NamesThemAndAPushRepairsBoth()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        var manifest = await Client.GetManifestAsync(pushed.Version.Digest, Cancellation);
        var parts = manifest.Files.Single(file => file.Path == ModelFolder.Unet).Parts;
        File.WriteAllBytes(BlobPath(DigestOf(parts[2])), new byte[parts[2].Size]);
        File.Delete(BlobPath(DigestOf(parts[4])));

        var found = await VerifyAsync(pushed.Version.Digest);
        var repaired = await PushAsync(Golden("models", "sd1"));
        var after = await VerifyAsync();

        found.Damaged.Should().Equal(parts[2].Sha256);
        found.Missing.Should().Equal(parts[4].Sha256);
        found.Blobs.Should().Be(found.TotalBlobs);
        repaired.UploadedBlobs.Should().Be(2);
        after.Damaged.Concat(after.Missing).Should().BeEmpty();
    }

    [Fact]
    public async Task VerifyBlobs_OfOneVersion_LeavesTheOthersUnread()
    {
        var first = await PushAsync(Golden("models", "sd1"));
        await PushAsync(Golden("models", "sd2"), model: "other");

        var found = await VerifyAsync(first.Version.Digest);

        found.TotalBlobs.Should().Be(first.UploadedBlobs);
    }

    [Fact]
    public async Task VerifyBlobs_OfAnUnknownVersion_IsNotFound()
    {
        var verify = () => VerifyAsync(Digest.Of("unknown"u8).Version);

        (await verify.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.NotFound);
    }

    private static Digest DigestOf(ManifestPart part) => Digest.FromBytes(part.Sha256.Span);

    private async Task<VerifyBlobsResponse> VerifyAsync(string version = "")
    {
        using var call = Rpc.VerifyBlobs(new VerifyBlobsRequest { Version = version }, cancellationToken: Cancellation);
        var all = new VerifyBlobsResponse();
        await foreach (var response in call.ResponseStream.ReadAllAsync(Cancellation))
        {
            response.Damaged.Add(all.Damaged);
            response.Missing.Add(all.Missing);
            all = response;
        }

        return all;
    }
}
