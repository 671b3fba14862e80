using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Fleet.Registry.Storage;
using Fleet.Registry.Tests.Storage;
using Fleet.Registry.Upkeep;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Fleet.Registry.Tests.Upkeep;

public sealed class CollectGarbageInFolderTests() : CollectGarbageTests(TestDatabase.Sqlite, BlobPlace.Folder);

public sealed class CollectGarbageInBucketTests() : CollectGarbageTests(TestDatabase.Sqlite, BlobPlace.Bucket);

public sealed class CollectGarbageOnPostgresTests() : CollectGarbageTests(TestDatabase.Postgres, BlobPlace.Folder);

public abstract class CollectGarbageTests(TestDatabase kind, BlobPlace place) : RegistryTest(kind, place)
{
    private readonly byte[] content = RandomBytes(1000);

    private Digest Digest => Contracts.Registry.Digest.Of(content);

    private RegistryDatabase Database => Running.Services.GetRequiredService<RegistryDatabase>();

    [Fact]
    public async Task CollectGarbage_OfABlobThatNothingNeeds_FreesItAndNothingElse()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        await UploadAsync(Start(Digest, 1000), Data(content));

        var collected = await CollectAsync();

        collected.Should().Be(new CollectGarbageResponse { Blobs = 1, BlobBytes = 1000 });
        File.Exists(BlobPath(Digest)).Should().BeFalse();
        (await LastEntryAsync()).Should().Match<AuditEntry>(entry => entry.Action == "blobs.collect" && entry.Details["bytes"] == "1000");
        await Client.PullAsync(pushed.Version.Digest, Folder["pulled"], cancellationToken: Cancellation);
    }

    [Fact]
    public async Task CollectGarbage_AsADryRun_CountsAndFreesNothing()
    {
        await UploadAsync(Start(Digest, 1000), Data(content));
        File.WriteAllBytes(Path.Combine(DataPath, "uploads", "old"), new byte[77]);
        File.SetLastWriteTimeUtc(Path.Combine(DataPath, "uploads", "old"), DateTime.UtcNow.AddDays(-2));

        var first = await CollectAsync(dryRun: true);

        first.Should().Be(new CollectGarbageResponse { Blobs = 1, BlobBytes = 1000, Uploads = 1, UploadBytes = 77 });
        (await CollectAsync()).Should().Be(first);
    }

    [Fact]
    public async Task CollectGarbage_AfterAVersionWasDeleted_FreesTheBlobsThatNoOtherVersionHas()
    {
        var first = await PushAsync(Golden("models", "sd1"));
        var second = await PushAsync(new ModelFolder(Folder["changed"]).ChangeTensor(ModelFolder.Unet, index: 3).FullPath);
        await DeleteAsync(second.Version.Digest);

        var collected = await CollectAsync();

        collected.Blobs.Should().Be(1);
        collected.BlobBytes.Should().Be(second.UploadedBytes);
        await Client.PullAsync(first.Version.Digest, Folder["pulled"], cancellationToken: Cancellation);
    }

    [Fact]
    public async Task CollectGarbage_BetweenFindMissingBlobsAndPublish_KeepsWhatThePushWasToldIsThere()
    {
        var manifest = await PushAndDeleteAsync();
        var found = new FindMissingBlobsRequest { PushId = "p", Sha256 = { BlobsOf(manifest).Select(digest => digest.ToByteString()) } };
        var missing = await Rpc.FindMissingBlobsAsync(found, cancellationToken: Cancellation);

        await using var replica = await StartReplicaAsync();
        var during = await CollectAsync(replica);
        await Rpc.PublishAsync(new PublishRequest { Model = "again", Manifest = manifest, PushId = "p" }, cancellationToken: Cancellation);
        await DeleteAsync(ManifestForm.DigestOf(manifest).Version, model: "again");
        var after = await CollectAsync(replica);

        missing.Sha256.Should().BeEmpty();
        during.Should().Be(new CollectGarbageResponse { KeptBlobs = BlobsOf(manifest).Count, KeptBytes = after.BlobBytes });
        after.Blobs.Should().Be(BlobsOf(manifest).Count, "the push has ended");
    }

    [Fact]
    public async Task CollectGarbage_WhenAPublishCommitsBetweenMarkingAndFreeing_FreesNothingOfIt()
    {
        var manifest = await PushAndDeleteAsync();
        var collector = Running.Services.GetRequiredService<GarbageCollector>();
        var marked = await collector.FindUnreferencedAsync(Cancellation);
        await Rpc.PublishAsync(new PublishRequest { Model = "again", Manifest = manifest }, cancellationToken: Cancellation);

        var freed = await collector.FreeAsync(marked, dryRun: false, Cancellation);

        marked.Should().HaveCount(BlobsOf(manifest).Count);
        freed.Should().Be(new CollectGarbageResponse());
        await Client.PullAsync(ManifestForm.DigestOf(manifest).Version, Folder["pulled"], cancellationToken: Cancellation);
    }

    [Fact]
    public async Task CollectGarbage_WhileAVersionIsPulledThatWasDeleted_LetsThePullEnd()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        var manifest = await Client.GetManifestAsync(pushed.Version.Digest, Cancellation);
        await DeleteAsync(pushed.Version.Digest);
        await using var replica = await StartReplicaAsync();

        var collected = await CollectAsync(replica);

        collected.Blobs.Should().Be(0);
        collected.KeptBlobs.Should().Be(BlobsOf(manifest).Count);
        foreach (var file in manifest.Files)
        {
            using var destination = File.OpenHandle(Folder["file"], FileMode.Create, FileAccess.ReadWrite);
            await replica.Client.DownloadAsync(file, destination, cancellationToken: Cancellation);
        }
    }

    [Fact]
    public async Task CollectGarbage_AnHourAfterThePushLastMoved_FreesItsBlobsAndThePublishIsAborted()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var pins = new BlobPins(Database, time);
        await UploadAsync(Start(Digest, 1000), Data(content));
        await pins.PinAsync("publish x", [Digest], Cancellation);

        time.Advance(BlobPins.Lifetime - TimeSpan.FromSeconds(1));
        (await CollectAsync(pins, time)).Should().Be(new CollectGarbageResponse { KeptBlobs = 1, KeptBytes = 1000 });
        time.Advance(TimeSpan.FromSeconds(1));
        (await CollectAsync(pins, time)).Should().Be(new CollectGarbageResponse { Blobs = 1, BlobBytes = 1000 });

        var commit = () => Database.WriteAsync(async transaction =>
        {
            await BlobPins.ReleaseAsync(transaction, "publish x");
            return 0;
        }, Cancellation);
        await commit.Should().ThrowAsync<Hosting.AbortedException>().WithMessage("publish x took so long*");
    }

    [Fact]
    public async Task CollectGarbage_AfterManyHoursInWhichBlobsMoved_KeepsTheirPins()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var pins = new BlobPins(Database, time);
        await UploadAsync(Start(Digest, 1000), Data(content));
        await pins.PinAsync("push x", [Digest, Contracts.Registry.Digest.Of("to come"u8)], Cancellation);

        for (int i = 0; i < 12; i++)
        {
            time.Advance(TimeSpan.FromMinutes(20));
            await pins.RenewAsync(Digest, Cancellation);
        }

        (await CollectAsync(pins, time)).KeptBlobs.Should().Be(1);
    }

    [Fact]
    public async Task CollectGarbage_OfUploads_GivesUpTheOldOnesThatNobodyHolds()
    {
        string uploads = Path.Combine(DataPath, "uploads");
        using var held = Rpc.UploadBlobs(cancellationToken: Cancellation);
        await held.RequestStream.WriteAsync(Start(Digest, 1000), Cancellation);
        await held.RequestStream.WriteAsync(Data(content[..600]), Cancellation);
        await WaitForAsync(() => File.Exists(Path.Combine(uploads, Digest.Hex)) && new FileInfo(Path.Combine(uploads, Digest.Hex)).Length == 600);
        File.WriteAllBytes(Path.Combine(uploads, new string('a', 64)), new byte[50]);
        File.WriteAllBytes(Path.Combine(uploads, new string('b', 64)), new byte[60]);
        File.SetLastWriteTimeUtc(Path.Combine(uploads, Digest.Hex), DateTime.UtcNow.AddDays(-2));
        File.SetLastWriteTimeUtc(Path.Combine(uploads, new string('a', 64)), DateTime.UtcNow.AddDays(-2));

        var collected = await CollectAsync();

        collected.Should().Be(new CollectGarbageResponse { Uploads = 1, UploadBytes = 50 });
        Directory.EnumerateFiles(uploads).Should().HaveCount(2);
    }

    [Fact]
    public async Task CollectGarbage_OfUploadsYoungerThanASecond_IsRefused()
    {
        var collect = async () => await Rpc.CollectGarbageAsync(new CollectGarbageRequest { UploadsOlderThanSeconds = 0 }, cancellationToken: Cancellation);

        var failure = (await collect.Should().ThrowAsync<RpcException>()).Which;
        failure.Status.Should().Match<Status>(status =>
            status.StatusCode == StatusCode.InvalidArgument && status.Detail.StartsWith("uploads_older_than_seconds is 0; give 1 to"));
    }

    private static IReadOnlyList<Digest> BlobsOf(Manifest manifest) =>
        [.. manifest.Files.SelectMany(file => file.Parts).Select(part => Contracts.Registry.Digest.FromBytes(part.Sha256.Span)).Distinct()];

    private static async Task WaitForAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(10, Cancellation);
        }
    }

    private async Task<Manifest> PushAndDeleteAsync()
    {
        var pushed = await PushAsync(Golden("models", "sd1"));
        var manifest = await Running.Services.GetRequiredService<VersionCatalog>().ReadManifestAsync(
            Contracts.Registry.Digest.TryParseVersion(pushed.Version.Digest, out var digest) ? digest : default, Cancellation);
        await DeleteAsync(pushed.Version.Digest);
        return manifest;
    }

    private async Task<AuditEntry> LastEntryAsync()
    {
        var request = new ListEntriesRequest { NewestFirst = true, PageSize = 1 };
        return (await new Contracts.Registry.V1.Audit.AuditClient(Running.Channel).ListEntriesAsync(request, cancellationToken: Cancellation)).Entries[0];
    }

    private async Task DeleteAsync(string version, string model = "tiny") =>
        await Rpc.DeleteVersionAsync(new DeleteVersionRequest { Model = model, Version = version }, cancellationToken: Cancellation);

    private async Task<CollectGarbageResponse> CollectAsync(RunningRegistry? replica = null, bool dryRun = false) =>
        await (replica ?? Running).Rpc.CollectGarbageAsync(new CollectGarbageRequest { DryRun = dryRun }, cancellationToken: Cancellation);

    private Task<CollectGarbageResponse> CollectAsync(BlobPins pins, TimeProvider time)
    {
        var services = Running.Services;
        var collector = ActivatorUtilities.CreateInstance<GarbageCollector>(services, pins, time);
        return collector.CollectAsync(dryRun: false, TimeSpan.FromDays(1), Actor.Anonymous, Cancellation);
    }
}
