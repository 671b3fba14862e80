using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Fleet.Registry.Tests.Storage;

namespace Fleet.Registry.Tests.Audit;

public sealed class AliasHistoryTestsOnSqlite() : AliasHistoryTests(TestDatabase.Sqlite);

public sealed class AliasHistoryTestsOnPostgres() : AliasHistoryTests(TestDatabase.Postgres);

public abstract class AliasHistoryTests(TestDatabase database) : CatalogTest(database)
{
    private static readonly DateTimeOffset Ten = new(2026, 5, 1, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task FindAlias_BetweenTwoMoves_IsWhereTheFirstOnePointedIt()
    {
        var (first, second) = await MoveAsync(Ten, Ten.AddHours(2));

        (await LiveAsync(Ten.AddHours(1))).Should().Be(first.Version);
        (await LiveAsync(Ten)).Should().Be(first.Version);
        (await LiveAsync(Ten.AddHours(2))).Should().Be(second.Version);
        (await LiveAsync(null)).Should().Be(second.Version);
    }

    [Fact]
    public async Task FindAlias_BeforeItWasSet_PointsNowhere()
    {
        await MoveAsync(Ten, Ten.AddHours(2));

        var find = () => LiveAsync(Ten.AddMilliseconds(-1));

        await find.Should().ThrowAsync<NotFoundException>().WithMessage("alias 'tiny@stable' pointed nowhere at that time*");
    }

    [Fact]
    public async Task FindAlias_AfterItWasDeleted_PointsNowhere()
    {
        var (_, second) = await MoveAsync(Ten, Ten.AddHours(2));
        Clock.Now = Ten.AddHours(3);
        await Catalog.DeleteAliasAsync("tiny", "stable", Someone, Cancellation);

        (await LiveAsync(Ten.AddHours(3).AddMilliseconds(-1))).Should().Be(second.Version);
        var find = () => LiveAsync(null);
        await find.Should().ThrowAsync<NotFoundException>().WithMessage("alias 'tiny@stable' was deleted before that, in entry 5");
    }

    [Fact]
    public async Task FindAlias_WhenTheClockWasSetBack_GivesWhatCameLastInTheLog()
    {
        var (_, second) = await MoveAsync(Ten, Ten.AddHours(-1));

        (await LiveAsync(Ten)).Should().Be(second.Version);
        (await LiveAsync(Ten.AddMinutes(-30))).Should().Be(second.Version);
    }

    [Fact]
    public async Task FindAlias_WhenTheClockOnceRanAhead_IsNotHiddenByIt()
    {
        var (first, second) = await MoveAsync(Ten.AddYears(4), Ten);
        Clock.Now = Ten.AddHours(1);
        await Catalog.SetAliasAsync("tiny", "stable", first, "", Someone, Cancellation);

        (await LiveAsync(Ten)).Should().Be(second.Version);
        (await LiveAsync(Ten.AddHours(1))).Should().Be(first.Version);
    }

    private async Task<(Digest First, Digest Second)> MoveAsync(DateTimeOffset firstMove, DateTimeOffset secondMove)
    {
        Clock.Now = firstMove;
        var first = await PublishAsync("tiny", [1], null, "stable");
        Clock.Now = secondMove;
        return (first, await PublishAsync("tiny", [2], null, "stable"));
    }

    private async Task<string> LiveAsync(DateTimeOffset? at) =>
        (await History.FindAliasAsync("tiny", "stable", at?.ToUnixTimeMilliseconds(), Cancellation)).Details["to"];
}
