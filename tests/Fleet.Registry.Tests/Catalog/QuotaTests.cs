using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Tests.Storage;

namespace Fleet.Registry.Tests.Catalog;

public sealed class QuotaTestsOnSqlite() : QuotaTests(TestDatabase.Sqlite);

public sealed class QuotaTestsOnPostgres() : QuotaTests(TestDatabase.Postgres);

public abstract class QuotaTests(TestDatabase database) : CatalogTest(database)
{
    [Fact]
    public async Task Publish_BeyondTheQuota_IsRefusedWithBothNumbersAndLeavesNothing()
    {
        await Quotas.SetAsync("acme", 100, Someone, Cancellation);
        await PublishAsync("acme/one", [60]);

        var publish = () => PublishAsync("acme/two", [41], null, "live");

        await publish.Should().ThrowAsync<PreconditionException>().WithMessage("namespace 'acme' would hold 101 bytes and its quota is 100;*");
        (await Quotas.ListAsync(Cancellation)).Should().ContainSingle()
            .Which.Should().Be(new Usage { Namespace = "acme", Bytes = 60, QuotaBytes = 100, Versions = 1 });
        (await FindFaultsAsync()).Should().BeEmpty();
    }

    [Fact]
    public async Task Usage_CountsABlobOnceForANamespace()
    {
        await PublishAsync("acme/one", [60, 5]);
        await PublishAsync("acme/two", [60, 7]);
        await PublishAsync("other", [60]);

        (await Quotas.ListAsync(Cancellation)).Select(usage => (usage.Namespace, usage.Bytes, usage.Versions)).Should().Equal(("acme", 72, 2), ("other", 60, 1));
    }

    [Fact]
    public async Task Publish_ByManyAtOnce_NeverHoldsMoreThanTheQuota()
    {
        await Quotas.SetAsync("acme", 100, Someone, Cancellation);

        var outcomes = await Task.WhenAll(Enumerable.Range(30, 10).Select(async size =>
        {
            try
            {
                await PublishAsync($"acme/{size}", [size]);
                return true;
            }
            catch (PreconditionException)
            {
                return false;
            }
        }));

        outcomes.Count(published => published).Should().BeInRange(2, 3);
        (await Quotas.ListAsync(Cancellation)).Single().Bytes.Should().BeLessThanOrEqualTo(100);
    }

    [Fact]
    public async Task Delete_MakesRoom_AndNoLimitIsNone()
    {
        await Quotas.SetAsync("acme", 100, Someone, Cancellation);
        var first = await PublishAsync("acme", [90]);

        await Catalog.DeleteAsync("acme", first, Someone, Cancellation);
        await PublishAsync("acme", [95]);
        await Quotas.SetAsync("acme", 0, Someone, Cancellation);
        await PublishAsync("acme", [96]);

        (await Quotas.ListAsync(Cancellation)).Single().Bytes.Should().Be(191);
    }
}
