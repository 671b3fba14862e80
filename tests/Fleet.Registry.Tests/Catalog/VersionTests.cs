using Dapper;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Storage;
using Fleet.Registry.Tests.Storage;
using Fleet.Testing;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Tests.Catalog;

public sealed class VersionTestsOnSqlite() : VersionTests(TestDatabase.Sqlite);

public sealed class VersionTestsOnPostgres() : VersionTests(TestDatabase.Postgres);

public abstract class VersionTests(TestDatabase database) : RegistryTest(database)
{
    [Fact]
    public async Task Resolve_OfAModel_MeansItsAliasStableOrItsNewestVersion()
    {
        string first = await PushChangedAsync(0);
        string second = await PushChangedAsync(1);

        (await Client.ResolveAsync("tiny", Cancellation)).Digest.Should().Be(second);
        await Client.SetAliasAsync("tiny", "stable", first, cancellationToken: Cancellation);
        (await Client.ResolveAsync("tiny", Cancellation)).Digest.Should().Be(first);
    }

    [Theory]
    [InlineData("tiny@{0}", 64)]
    [InlineData("tiny@{0}", 12)]
    [InlineData("{0}", 64)]
    [InlineData("{0}", 12)]
    public async Task Resolve_OfADigestOrItsBeginning_FindsTheVersion(string reference, int digits)
    {
        string first = await PushChangedAsync(0);
        await PushChangedAsync(1);

        var found = await Client.ResolveAsync(string.Format(null, reference, first[..("sha256:".Length + digits)]), Cancellation);

        found.Digest.Should().Be(first);
    }

    [Theory]
    [InlineData("unknown", StatusCode.NotFound, "the registry has no model 'unknown'")]
    [InlineData("tiny@unknown", StatusCode.NotFound, "model 'tiny' has no alias 'unknown'; it has: live")]
    [InlineData("sha256:000000000000", StatusCode.NotFound, "the registry has no version sha256:000000000000")]
    [InlineData("tiny@sha256:00000000000", StatusCode.InvalidArgument, "reference is 'sha256:00000000000'; give 'sha256:' and 12 to 64 hexadecimal digits.")]
    [InlineData("", StatusCode.InvalidArgument, "reference is empty; give a model name*")]
    [InlineData("a@b@c", StatusCode.InvalidArgument, "reference is 'b@c'; give an alias*")]
    [InlineData("tiny\n", StatusCode.InvalidArgument, "reference is 'tiny\n'; give a model name*")]
    public async Task Resolve_OfWhatDoesNotExist_SaysWhatThereIs(string reference, StatusCode code, string detail)
    {
        await PushAsync(Golden("models", "sd1"), "tiny", "live");

        var failure = (await FluentActions.Awaiting(() => Client.ResolveAsync(reference, Cancellation)).Should().ThrowAsync<RpcException>()).Which;

        failure.StatusCode.Should().Be(code);
        failure.Status.Detail.Should().Match(detail);
    }

    [Fact]
    public async Task List_GoesThroughPagesNewestFirst()
    {
        string[] digests = [await PushChangedAsync(0), await PushChangedAsync(1), await PushChangedAsync(2)];
        await PushAsync(Golden("models", "sd2"), "other");

        var first = await Rpc.ListVersionsAsync(new ListVersionsRequest { Model = "tiny", PageSize = 2 }, cancellationToken: Cancellation);
        var second = await Rpc.ListVersionsAsync(
            new ListVersionsRequest { Model = "tiny", PageSize = 2, PageToken = first.NextPageToken }, cancellationToken: Cancellation);

        first.Versions.Select(version => version.Digest).Should().Equal(digests[2], digests[1]);
        second.Versions.Select(version => version.Digest).Should().Equal(digests[0]);
        second.NextPageToken.Should().BeEmpty();
        (await Client.ListAsync(cancellationToken: Cancellation).ToListAsync(Cancellation)).Should().HaveCount(4);
    }

    [Theory]
    [InlineData(1001, "", "page_size is 1001; give a whole number from 1 to 1000.")]
    [InlineData(-1, "", "page_size is -1; give a whole number from 1 to 1000.")]
    [InlineData(0, "zz", "page_token is 'zz'; give the next_page_token of the last response.")]
    [InlineData(0, "-1", "page_token is '-1'; give the next_page_token of the last response.")]
    public async Task List_OfABadPage_IsRefusedNamingTheField(int size, string token, string detail)
    {
        var list = async () => await Rpc.ListVersionsAsync(new ListVersionsRequest { PageSize = size, PageToken = token }, cancellationToken: Cancellation);

        var failure = (await list.Should().ThrowAsync<RpcException>()).Which;

        failure.StatusCode.Should().Be(StatusCode.InvalidArgument);
        failure.Status.Detail.Should().Be(detail);
    }

    [Fact]
    public async Task Publish_OfTheSameFilesUnderAnotherName_MakesAVersionOfThatModelToo()
    {
        var one = await PushAsync(Golden("models", "sd1"), "one");
        var two = await PushAsync(Golden("models", "sd1"), "two");

        two.Created.Should().BeTrue();
        two.UploadedBlobs.Should().Be(0);
        (await Client.ResolveAsync(one.Version.Digest, Cancellation)).Model.Should().Be("one");
        (await Client.ResolveAsync($"two@{one.Version.Digest}", Cancellation)).Model.Should().Be("two");
    }

    [Fact]
    public async Task Publish_OfAKnownVersion_KeepsItAsItIsAndMovesAliases()
    {
        var first = await Client.PushAsync(Golden("models", "sd1"), "tiny", description: "first", cancellationToken: Cancellation);

        var again = await Client.PushAsync(Golden("models", "sd1"), "tiny", ["live"], description: "second", cancellationToken: Cancellation);

        again.Version.Description.Should().Be("first");
        again.Version.CreatedAt.Should().Be(first.Version.CreatedAt);
        again.Version.Aliases.Should().Equal("live");
    }

    [Fact]
    public async Task Restart_KeepsVersionsAliasesAndFiles()
    {
        var pushed = await PushAsync(Golden("models", "sd1"), "tiny", "live");

        await RestartAsync();

        (await Client.ResolveAsync("tiny@live", Cancellation)).Should().Be(pushed.Version);
        await Client.PullAsync(pushed.Version.Digest, Folder["pulled"], cancellationToken: Cancellation);
        File.ReadAllBytes(Folder["pulled", ModelFolder.Unet]).AsSpan().SequenceEqual(File.ReadAllBytes(Golden("models", "sd1", ModelFolder.Unet))).Should().BeTrue();
    }

    [Fact]
    public async Task Open_OfADatabaseOfANewerRegistry_IsRefused()
    {
        var options = Options.Create(new RegistryOptions { DataPath = Folder["newer"] });
        await using (var database = new RegistryDatabase(options, TimeProvider.System))
        {
            _ = await database.ReadAsync(connection => connection.ExecuteAsync("PRAGMA user_version = 1000"), Cancellation);
        }

        var open = () => new RegistryDatabase(options, TimeProvider.System);

        open.Should().Throw<InvalidOperationException>().WithMessage("*has schema 1000 and this registry knows up to*");
    }

    private async Task<string> PushChangedAsync(int tensor) =>
        (await PushAsync(new ModelFolder(Folder[$"changed-{tensor}"]).ChangeTensor(ModelFolder.Unet, tensor).FullPath)).Version.Digest;
}
