using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Catalog;
using Fleet.Registry.Tests.Storage;

namespace Fleet.Registry.Tests.Catalog;

public sealed class DeletionTestsOnSqlite() : DeletionTests(TestDatabase.Sqlite);

public sealed class DeletionTestsOnPostgres() : DeletionTests(TestDatabase.Postgres);

public abstract class DeletionTests(TestDatabase database) : CatalogTest(database)
{
    [Fact]
    public async Task Delete_OfAVersionThatOthersReferTo_NamesThem()
    {
        var first = await PublishAsync("tiny", [1], null, "stable", "old");
        var second = await PublishAsync("tiny", [2], new VersionMetadata { BaseVersion = first.Version });
        var catalog = CatalogOf(Database, Clock, new Rollout());

        var delete = () => catalog.DeleteAsync("tiny", first, Someone, Cancellation);

        await delete.Should().ThrowAsync<PreconditionException>().WithMessage(
            $"version {first.Version} of 'tiny' is referred to by alias 'old', alias 'stable', version 'tiny@{second.Version}' (base_version), rollout ro-1");
    }

    [Fact]
    public async Task Delete_OfTheLastVersionWithAManifest_ForgetsTheManifestAndItsBlobs()
    {
        var one = await PublishAsync("one", [1]);
        await PublishAsync("two", [1]);

        await Catalog.DeleteAsync("one", one, Someone, Cancellation);
        (await Catalog.ReadManifestAsync(one, Cancellation)).Files.Should().ContainSingle();
        await Catalog.DeleteAsync("two", one, Someone, Cancellation);

        var read = () => Catalog.ReadManifestAsync(one, Cancellation);
        await read.Should().ThrowAsync<NotFoundException>();
        (await Database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM manifest_blobs"), Cancellation)).Should().Be(0);
        (await FindFaultsAsync()).Should().BeEmpty();
    }

    [Fact]
    public async Task Delete_OfABaseThatAnotherModelHasToo_IsAllowed()
    {
        var first = await PublishAsync("one", [1]);
        await PublishAsync("two", [1]);
        await PublishAsync("two", [2], new VersionMetadata { BaseVersion = first.Version });

        await Catalog.DeleteAsync("one", first, Someone, Cancellation);

        (await Catalog.FindAsync("one", first, Cancellation)).Should().BeNull();
    }

    [Fact]
    public async Task Delete_OfAnUnknownVersion_IsNotFound()
    {
        var version = Digest.Of([1]);

        var delete = () => Catalog.DeleteAsync("tiny", version, Someone, Cancellation);

        await delete.Should().ThrowAsync<NotFoundException>().WithMessage($"model 'tiny' has no version {version.Version}");
    }

    private sealed class Rollout : IVersionReferences
    {
        public Task<IReadOnlyList<string>> FindAsync(DbTransaction transaction, string model, Digest version, CancellationToken cancellation) =>
            Task.FromResult<IReadOnlyList<string>>(["rollout ro-1"]);
    }
}
