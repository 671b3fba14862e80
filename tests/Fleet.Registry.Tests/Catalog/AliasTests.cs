using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;

namespace Fleet.Registry.Tests.Catalog;

public sealed class AliasTestsOnSqlite() : AliasTests(TestDatabase.Sqlite);

public sealed class AliasTestsOnPostgres() : AliasTests(TestDatabase.Postgres);

public abstract class AliasTests(TestDatabase database) : RegistryTest(database)
{
    [Fact]
    public async Task SetAlias_MovesItAndTheVersionsSaySo()
    {
        var (first, second) = await PushTwoAsync();

        await Client.SetAliasAsync("tiny", "live", first, cancellationToken: Cancellation);
        await Client.SetAliasAsync("tiny", "live", second, expectedVersion: first, cancellationToken: Cancellation);

        (await Client.ResolveAsync("tiny@live", Cancellation)).Digest.Should().Be(second);
        (await Client.ResolveAsync(first, Cancellation)).Aliases.Should().BeEmpty();
        (await Client.ResolveAsync(second, Cancellation)).Aliases.Should().Equal("live");
    }

    [Fact]
    public async Task SetAlias_ExpectedElsewhere_IsAbortedNamingWhereItPoints()
    {
        var (first, second) = await PushTwoAsync();
        await Client.SetAliasAsync("tiny", "live", first, cancellationToken: Cancellation);

        await ShouldFailAsync(() => Client.SetAliasAsync("tiny", "live", second, expectedVersion: second, cancellationToken: Cancellation),
            StatusCode.Aborted, $"alias 'tiny@live' points at {first}, not at the expected {second}");
        await ShouldFailAsync(() => Client.SetAliasAsync("tiny", "live", second, expectedVersion: "none", cancellationToken: Cancellation),
            StatusCode.Aborted, $"alias 'tiny@live' points at {first}, not at the expected none");
    }

    [Fact]
    public async Task SetAlias_ByAHundredAtOnceExpectingTheSame_LetsOneWin()
    {
        var (first, second) = await PushTwoAsync();
        await Client.SetAliasAsync("tiny", "live", first, cancellationToken: Cancellation);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ =>
        {
            try
            {
                await Client.SetAliasAsync("tiny", "live", second, expectedVersion: first, cancellationToken: Cancellation);
                return StatusCode.OK;
            }
            catch (RpcException exception)
            {
                return exception.StatusCode;
            }
        }));

        outcomes.Count(code => code == StatusCode.OK).Should().Be(1);
        outcomes.Count(code => code == StatusCode.Aborted).Should().Be(99);
    }

    [Fact]
    public async Task SetAlias_ToAVersionOfAnotherModel_IsNotFound()
    {
        var (first, _) = await PushTwoAsync();

        await ShouldFailAsync(() => Client.SetAliasAsync("other", "live", first, cancellationToken: Cancellation),
            StatusCode.NotFound, $"model 'other' has no version {first}");
    }

    [Fact]
    public async Task DeleteAlias_RemovesIt_AndAnUnknownOneIsNamed()
    {
        var (first, _) = await PushTwoAsync();
        await Client.SetAliasAsync("tiny", "live", first, cancellationToken: Cancellation);
        await Client.SetAliasAsync("tiny", "old", first, cancellationToken: Cancellation);

        await Client.DeleteAliasAsync("tiny", "live", Cancellation);

        (await Client.ListAliasesAsync("tiny", Cancellation)).Select(alias => alias.Name).Should().Equal("old");
        await ShouldFailAsync(() => Client.DeleteAliasAsync("tiny", "live", Cancellation),
            StatusCode.NotFound, "model 'tiny' has no alias 'live'; it has: old");
    }

    [Fact]
    public async Task ProtectAlias_LetsItMoveOnlyWhenTheCallerKnowsWhereItPoints_AndNotBeDeleted()
    {
        var (first, second) = await PushTwoAsync();
        await Client.SetAliasAsync("tiny", "live", first, cancellationToken: Cancellation);

        (await ProtectAsync(true)).Protected.Should().BeTrue();

        await ShouldFailAsync(() => Client.SetAliasAsync("tiny", "live", second, cancellationToken: Cancellation),
            StatusCode.FailedPrecondition, "alias 'tiny@live' is protected: say with expected_version where it points now");
        await ShouldFailAsync(() => Client.DeleteAliasAsync("tiny", "live", Cancellation),
            StatusCode.FailedPrecondition, "alias 'tiny@live' is protected: lift the protection first");
        await ShouldFailAsync(() => PushAsync(Folder["changed"], "tiny", "live"),
            StatusCode.FailedPrecondition, "alias 'tiny@live' is protected: publish without it*");
        (await Client.SetAliasAsync("tiny", "live", second, expectedVersion: first, cancellationToken: Cancellation)).Protected.Should().BeTrue();

        await ProtectAsync(false);
        await Client.DeleteAliasAsync("tiny", "live", Cancellation);
    }

    [Fact]
    public Task ProtectAlias_OfAnUnknownOne_IsNotFound() =>
        ShouldFailAsync(() => ProtectAsync(true), StatusCode.NotFound, "model 'tiny' has no alias 'live'; it has: none");

    [Theory]
    [InlineData("Tiny", "live", "model is 'Tiny'; give a model name*")]
    [InlineData("tiny//x", "live", "model is 'tiny//x'; give a model name*")]
    [InlineData("tiny", "a b", "alias is 'a b'; give an alias*")]
    [InlineData("tiny", "", "alias is empty; give an alias*")]
    public Task SetAlias_WithABadName_IsRefusedNamingTheField(string model, string alias, string detail) =>
        ShouldFailAsync(() => Client.SetAliasAsync(model, alias, "sha256:" + new string('0', 64), cancellationToken: Cancellation),
            StatusCode.InvalidArgument, detail);

    [Fact]
    public Task SetAlias_WithABadDigest_IsRefusedNamingTheField() =>
        ShouldFailAsync(() => Client.SetAliasAsync("tiny", "live", "sha256:12", cancellationToken: Cancellation),
            StatusCode.InvalidArgument, "version is 'sha256:12'; give 'sha256:' and 64 hexadecimal digits*");

    private async Task<(string First, string Second)> PushTwoAsync()
    {
        var first = await PushAsync(Golden("models", "sd1"));
        var second = await PushAsync(new ModelFolder(Folder["changed"]).ChangeTensor(ModelFolder.Unet, index: 0).FullPath);
        return (first.Version.Digest, second.Version.Digest);
    }

    private async Task<Alias> ProtectAsync(bool protect)
    {
        var request = new ProtectAliasRequest { Model = "tiny", Alias = "live", Protected = protect };
        return (await Rpc.ProtectAliasAsync(request, cancellationToken: Cancellation)).Alias;
    }
}
