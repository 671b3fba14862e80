using Dapper;

namespace Fleet.Registry.Tests.Storage;

public sealed class DiskFullTests() : CatalogTest(TestDatabase.Sqlite)
{
    [Fact]
    public async Task Write_WhenTheFileCannotGrow_FailsAsADiskThatIsFull_AndLeavesWhatWasThere()
    {
        await PublishAsync("tiny", [1]);

        var write = () => Database.WriteAsync(async transaction =>
        {
            await transaction.Connection!.ExecuteAsync("PRAGMA max_page_count = 1", transaction: transaction); // it is raised to the present size
            return await transaction.Connection!.ExecuteAsync(
                "INSERT INTO quotas (namespace, bytes) VALUES (@Name, 1)", new { Name = new string('x', 1_000_000) }, transaction);
        }, Cancellation);

        (await write.Should().ThrowAsync<IOException>()).Which.HResult.Should().Be(28, "the service answers RESOURCE_EXHAUSTED to ENOSPC");
        await ExecuteAsync("PRAGMA max_page_count = 1000000");
        await PublishAsync("tiny", [2]);
        (await FindFaultsAsync()).Should().BeEmpty();
    }
}
