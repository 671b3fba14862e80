using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Audit;
using Fleet.Registry.Tests.Storage;
using Google.Protobuf;

namespace Fleet.Registry.Tests.Audit;

public sealed class TamperingTestsOnSqlite() : TamperingTests(TestDatabase.Sqlite);

public sealed class TamperingTestsOnPostgres() : TamperingTests(TestDatabase.Postgres);

/// <summary>Everything here is done to the tables by somebody who can write to the database.</summary>
public abstract class TamperingTests(TestDatabase database) : CatalogTest(database)
{
    [Fact]
    public async Task Verify_OfAnUntouchedLog_FindsNothing()
    {
        await WriteSomeHistoryAsync();

        (await FindFaultsAsync()).Should().BeEmpty();
    }

    [Theory]
    [InlineData("actor = 'nobody'")]
    [InlineData("at = at - 1")]
    [InlineData("details = '{\"from\":\"none\",\"to\":\"sha256:00\"}'")]
    [InlineData("subject = 'other'")]
    public async Task Verify_AfterAnEntryWasChanged_NamesIt(string change)
    {
        await WriteSomeHistoryAsync();

        await ExecuteAsync($"UPDATE audit_log SET {change} WHERE sequence = 2");

        (await FindFaultsAsync()).Should().Contain("entry 2 was changed: its hash is not that of its fields");
    }

    [Fact]
    public async Task Verify_AfterAnEntryWasMadeUnreadable_SaysSo()
    {
        await WriteSomeHistoryAsync();

        await ExecuteAsync("UPDATE audit_log SET details = 'x' WHERE sequence = 2");

        (await FindFaultsAsync()).Should().ContainMatch("entry 2 of the audit log cannot be read: *").And.Contain("entry 3 follows entry 1: 1 entries are missing");
    }

    [Fact]
    public async Task Verify_AfterAnEntryWasDeleted_FindsTheGap()
    {
        await WriteSomeHistoryAsync();

        await ExecuteAsync("DELETE FROM audit_log WHERE sequence = 3");

        (await FindFaultsAsync()).Should().Contain("entry 4 follows entry 2: 1 entries are missing");
    }

    [Fact]
    public async Task Verify_AfterTheEndWasCutOff_FindsThatItIsNotTheEnd()
    {
        long last = await WriteSomeHistoryAsync();

        await ExecuteAsync("DELETE FROM audit_log WHERE sequence = @last", new { last });

        (await FindFaultsAsync()).Should().Contain($"the log ends with entry {last - 1}, and it should end with entry {last}");
    }

    [Fact]
    public async Task Verify_AfterTwoEntriesChangedPlaces_NamesBoth()
    {
        await WriteSomeHistoryAsync();

        await ExecuteAsync("UPDATE audit_log SET sequence = -2 WHERE sequence = 2");
        await ExecuteAsync("UPDATE audit_log SET sequence = 2 WHERE sequence = 3");
        await ExecuteAsync("UPDATE audit_log SET sequence = 3 WHERE sequence = -2");

        (await FindFaultsAsync()).Should().Contain("entry 2 was changed: its hash is not that of its fields")
            .And.Contain("entry 3 was changed: its hash is not that of its fields");
    }

    [Fact]
    public async Task Verify_AfterTheTailWasRewrittenWithRightHashes_DiffersFromTheCatalogAndFromTheKnownHead()
    {
        long last = await WriteSomeHistoryAsync();
        var head = (await History.ListAsync(AuditFilter.Parse(new ListEntriesRequest()), true, 1, 0, Cancellation)).Entries[0].Hash;
        string other = "sha256:" + new string('0', 64);

        await RewriteAsync(from: 2, entry =>
        {
            if (entry.Action == AuditActions.SetAlias)
            {
                entry.Details["to"] = other;
            }
        });

        (await FindFaultsAsync()).Should().ContainSingle().Which.Should().Match($"alias 'tiny@stable' points at *, and by the log at {other}");
        (await FindFaultsAsync(last, head)).Should().Contain($"entry {last} is not the one that was the head before: the log was rewritten");
    }

    [Fact]
    public async Task Verify_AfterAWholeNewLogWasPutInPlace_IsToldApartByTheKnownHead()
    {
        long last = await WriteSomeHistoryAsync();
        var head = (await History.ListAsync(AuditFilter.Parse(new ListEntriesRequest()), true, 1, 0, Cancellation)).Entries[0].Hash;

        await RewriteAsync(from: 1, entry => entry.Actor = "nobody");

        (await FindFaultsAsync()).Should().BeEmpty("the chain alone cannot show it");
        (await FindFaultsAsync(last, head)).Should().Equal($"entry {last} is not the one that was the head before: the log was rewritten");
    }

    [Theory]
    [InlineData("UPDATE versions SET metrics = '{\"fid\":1}'", "version * of 'tiny': metrics/fid is not what the log says")]
    [InlineData("UPDATE versions SET deprecated = 'old'", "version * of 'tiny': whether it is deprecated is not what the log says")]
    [InlineData("UPDATE versions SET revision = 7", "version * of 'tiny': its revision is not what the log says")]
    [InlineData("UPDATE aliases SET protected = 1", "alias 'tiny@stable' is protected, and by the log it is not")]
    [InlineData("UPDATE aliases SET digest = (SELECT digest FROM versions ORDER BY id LIMIT 1)", "alias 'tiny@stable' points at *, and by the log at *")]
    [InlineData("DELETE FROM aliases", "alias 'tiny@stable' is not in the catalog, and by the log it points at *")]
    [InlineData("UPDATE aliases SET name = 'canary'", "alias 'tiny@canary' points at *, and by the log at none")]
    [InlineData("INSERT INTO quotas (namespace, bytes) VALUES ('tiny', 5)", "the quota of namespace 'tiny' is 5 bytes, and by the log 0")]
    [InlineData("DELETE FROM versions WHERE id = (SELECT MIN(id) FROM versions)", "version * of 'tiny' is not in the catalog, and the log does not say that it was deleted")]
    public async Task Verify_AfterTheCatalogWasChangedBehindTheLog_SaysWhat(string change, string fault)
    {
        await WriteSomeHistoryAsync();

        await ExecuteAsync(change);

        (await FindFaultsAsync()).Should().ContainMatch(fault);
    }

    private async Task<long> WriteSomeHistoryAsync()
    {
        await PublishAsync("tiny", [1], new VersionMetadata { License = "mit", Metrics = { ["fid"] = 12.25 } }, "stable");
        var second = await PublishAsync("tiny", [2], null, "stable");
        await Catalog.DeprecateAsync("tiny", second, "broken", Someone, Cancellation);
        await Catalog.UpdateMetadataAsync("tiny", second, ["license"], "", new VersionMetadata { License = "mit" }, 0, Someone, Cancellation);
        await Catalog.DeprecateAsync("tiny", second, "", Someone, Cancellation);
        await Quotas.SetAsync("other", 100, Someone, Cancellation);
        return 8;
    }

    // What a patient intruder does: changes entries and computes all hashes anew.
    private async Task RewriteAsync(long from, Action<AuditEntry> change)
    {
        var entries = (await History.ListAsync(AuditFilter.Parse(new ListEntriesRequest()), false, 100, 0, Cancellation)).Entries;
        var previous = AuditForm.NoHash;
        await ExecuteAsync("DELETE FROM audit_log");
        foreach (var entry in entries)
        {
            if (entry.Sequence >= from)
            {
                change(entry);
                entry.PreviousHash = previous;
                entry.Hash = AuditForm.HashOf(entry);
            }

            previous = entry.Hash;
            await ExecuteAsync(AuditRow.Insert, AuditRow.Of(entry));
        }

        await ExecuteAsync("UPDATE audit_head SET hash = @Hash", new { Hash = previous.ToByteArray() });
    }
}
