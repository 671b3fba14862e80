using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Tests.Audit;

public sealed class AuditServiceTestsOnSqlite() : AuditServiceTests(TestDatabase.Sqlite);

public sealed class AuditServiceTestsOnPostgres() : AuditServiceTests(TestDatabase.Postgres);

public abstract class AuditServiceTests(TestDatabase database) : RegistryTest(database)
{
    private V1.Audit.AuditClient Audit => new(Running.Channel);

    [Fact]
    public async Task ListEntries_TellsOfAPushAndOfAnAlias_InAChainThatCallersCanCheck()
    {
        var pushed = await PushAsync(Golden("models", "sd1"), "tiny", "live");
        await Client.DeleteAliasAsync("tiny", "live", Cancellation);

        var entries = (await Audit.ListEntriesAsync(new ListEntriesRequest(), cancellationToken: Cancellation)).Entries;

        entries.Select(entry => (entry.Sequence, entry.Action, entry.Subject, entry.Actor)).Should().Equal(
            (1, "version.publish", pushed.Version.Digest, "anonymous"), (2, "alias.set", "live", "anonymous"), (3, "alias.delete", "live", "anonymous"));
        entries[0].PreviousHash.Should().Equal(AuditForm.NoHash);
        entries[2].PreviousHash.Should().Equal(entries[1].Hash);
        entries.Should().OnlyContain(entry => AuditForm.HashOf(entry) == entry.Hash);
    }

    [Fact]
    public async Task ListEntries_GoesThroughPagesInBothDirections_AndFilters()
    {
        string digest = (await PushAsync(Golden("models", "sd1"), "tiny", "a", "b", "c")).Version.Digest;

        var first = await Audit.ListEntriesAsync(new ListEntriesRequest { PageSize = 3 }, cancellationToken: Cancellation);
        var second = await Audit.ListEntriesAsync(new ListEntriesRequest { PageSize = 3, PageToken = first.NextPageToken }, cancellationToken: Cancellation);
        var newest = await Audit.ListEntriesAsync(new ListEntriesRequest { PageSize = 1, NewestFirst = true }, cancellationToken: Cancellation);
        var older = await Audit.ListEntriesAsync(
            new ListEntriesRequest { NewestFirst = true, PageToken = newest.NextPageToken }, cancellationToken: Cancellation);
        var ofVersion = await Audit.ListEntriesAsync(new ListEntriesRequest { Subject = digest, Model = "tiny" }, cancellationToken: Cancellation);
        var early = await Audit.ListEntriesAsync(new ListEntriesRequest { Until = ofVersion.Entries[0].At }, cancellationToken: Cancellation);

        first.Entries.Concat(second.Entries).Select(entry => entry.Sequence).Should().Equal(1, 2, 3, 4);
        second.NextPageToken.Should().BeEmpty();
        newest.Entries.Concat(older.Entries).Select(entry => entry.Sequence).Should().Equal(4, 3, 2, 1);
        ofVersion.Entries.Select(entry => entry.Sequence).Should().Equal(1);
        early.Entries.Should().BeEmpty();
    }

    [Fact]
    public async Task GetAliasAt_OfNow_NamesTheVersionAndTheEntry()
    {
        string digest = (await PushAsync(Golden("models", "sd1"), "tiny", "stable")).Version.Digest;

        var now = await Audit.GetAliasAtAsync(new GetAliasAtRequest { Model = "tiny" }, cancellationToken: Cancellation);
        var before = async () => await Audit.GetAliasAtAsync(
            new GetAliasAtRequest { Model = "tiny", At = Timestamp.FromDateTime(DateTime.UnixEpoch) }, cancellationToken: Cancellation);

        now.Version.Should().Be(digest);
        now.Entry.Sequence.Should().Be(2);
        (await before.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.NotFound);
    }

    [Fact]
    public async Task VerifyLog_OfAWorkingRegistry_GivesEntriesAndHead()
    {
        await PushAsync(Golden("models", "sd1"), "tiny", "stable");

        var response = await Audit.VerifyLogAsync(new VerifyLogRequest(), cancellationToken: Cancellation);

        response.Entries.Should().Be(2);
        response.Head.Length.Should().Be(Digest.Bytes);
        response.Faults.Should().BeEmpty();
    }

    [Fact]
    public async Task ListEntries_WithATimeThatIsNone_IsRefusedNamingTheField()
    {
        var list = async () => await Audit.ListEntriesAsync(
            new ListEntriesRequest { Since = new Timestamp { Nanos = -1 } }, cancellationToken: Cancellation);

        var failure = (await list.Should().ThrowAsync<RpcException>()).Which;
        failure.StatusCode.Should().Be(StatusCode.InvalidArgument);
        failure.Status.Detail.Should().StartWith("since is ");
    }
}
