using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class ControllerTestsOnSqlite() : ControllerTests(TestDatabase.Sqlite);

public sealed class ControllerTestsOnPostgres() : ControllerTests(TestDatabase.Postgres);

/// <summary>One replica of the registry decides, and what it has decided outlives it.</summary>
public abstract class ControllerTests(TestDatabase database) : RolloutTest(database)
{
    [Fact]
    public async Task Kill_WhileWarming_GoesOnWithTheTimeThatHadPassed()
    {
        var rollout = await BeginAsync();
        await PassAsync(seconds: 50);

        await RestartAsync();
        await ShouldBeAsync(rollout, RolloutState.Warming);
        await PassAsync(seconds: 12); // the timeout is 60 s in all

        await ShouldBeAsync(rollout, RolloutState.Failed);
    }

    [Fact]
    public async Task Kill_WhileStepping_GoesOnWithWhatWasSeen()
    {
        var rollout = await BeginStepAsync();
        await ReportAsync(Outcome(rollout, Arm.Canary, Fault.NotFinite));

        await RestartAsync();
        (await ShouldBeAsync(rollout, RolloutState.Stepping)).CanaryCounts.NotFinite.Should().Be(1);
        await ReportAsync(Outcome(rollout, Arm.Canary, Fault.NotFinite));
        await PassAsync(seconds: 0.5);

        (await GetAsync(rollout.Id)).State.Should().Be(RolloutState.RollingBack);
    }

    [Fact]
    public async Task Kill_WhilePaused_StaysPausedWithItsTraffic()
    {
        var rollout = await BeginStepAsync();
        await ControlAsync(rollout, RolloutAction.Pause);

        await RestartAsync();
        await PassAsync(seconds: 90);

        (await ShouldBeAsync(rollout, RolloutState.Paused)).Percent.Should().Be(5);
    }

    [Fact]
    public async Task Kill_WhilePromoting_PromotesOnce()
    {
        var rollout = await BeginStepAsync();
        await ControlAsync(rollout, RolloutAction.Promote);
        await ShouldBeAsync(rollout, RolloutState.Promoting);

        await RestartAsync();
        await PassAsync(seconds: 0.5);

        var ended = await ShouldBeAsync(rollout, RolloutState.Promoted);
        ended.Verdicts.Count(verdict => verdict.Decision == Decision.Promote).Should().Be(1);
        (await StableAliasAsync()).Should().Be(Canary);
    }

    [Fact]
    public async Task Kill_WhileRollingBack_HasNoTrafficAndEnds()
    {
        var rollout = await BeginStepAsync();
        (await ControlAsync(rollout, RolloutAction.RollBack)).State.Should().Be(RolloutState.RollingBack);

        await RestartAsync();
        (await GetAsync(rollout.Id)).Percent.Should().Be(0);
        await PassAsync(seconds: 3);

        await ShouldBeAsync(rollout, RolloutState.RolledBack);
    }

    [Fact]
    public async Task Restart_AfterTheEnd_ShowsWhatItEndedWith()
    {
        var rollout = await BeginStepAsync();
        await ReportAsync(Outcome(rollout, Arm.Canary), Outcome(rollout, Arm.Stable));
        await ControlAsync(rollout, RolloutAction.RollBack);
        await PassAsync(seconds: 3);
        var before = await ShouldBeAsync(rollout, RolloutState.RolledBack);

        await RestartAsync();

        (await GetAsync(Model)).Should().Be(before);
        before.CanaryCounts.Requests.Should().Be(1);
        before.Replicas.Should().HaveCount(3);
    }

    [Fact]
    public async Task TwoReplicas_TheHolderDies_TheOtherDecidesAfterTheLease()
    {
        var second = await StartAsync();
        var rollout = await BeginAsync();
        await ReportReadyAsync(rollout);
        await Registry.LookAsync(); // takes the lease
        await second.LookAsync();
        await KillAsync(Registry);

        await PassAsync(seconds: 4);
        await ShouldBeAsync(rollout, RolloutState.Warming); // ready since long: nobody decides
        await PassAsync(seconds: 5);

        (await ShouldBeAsync(rollout, RolloutState.Stepping)).Verdicts.Should().ContainSingle();
    }

    [Fact]
    public async Task ManyReplicas_LookingAtOnce_DecideEachThingOnce()
    {
        var rollout = await BeginAsync();
        var others = new List<RolloutRegistry> { Registry, await StartAsync(), await StartAsync() };
        await ReportReadyAsync(rollout);

        for (int i = 0; i < 30; i++)
        {
            Time.Advance(TimeSpan.FromSeconds(0.5));
            await Task.WhenAll(others.Select(replica => replica.LookAsync()));
        }

        (await ShouldBeAsync(rollout, RolloutState.Stepping)).Verdicts.Should().ContainSingle();
        rollout.Revision.Should().Be(1);
        (await GetAsync(rollout.Id)).Revision.Should().Be(2);
    }

    [Fact]
    public async Task AReplicaThatLostTheLeaseWithoutKnowing_DecidesNothing()
    {
        var second = await StartAsync();
        var rollout = await BeginAsync();
        await Registry.LookAsync(); // takes the lease
        await second.LookAsync();
        for (int i = 0; i < 12; i++) // the first one hangs for six seconds
        {
            Time.Advance(TimeSpan.FromSeconds(0.5));
            await second.LookAsync();
        }

        await ReportReadyAsync(rollout);
        await Task.WhenAll(Registry.LookAsync(), second.LookAsync());
        await PassAsync(seconds: 1);

        (await ShouldBeAsync(rollout, RolloutState.Stepping)).Verdicts.Should().ContainSingle();
    }

    [Theory]
    [InlineData(-3650)]
    [InlineData(3650)]
    public async Task TheTimeOfDayJumps_NothingIsDecidedByIt(int days)
    {
        var plan = Plan(5, 25);
        plan.Inconclusive = Inconclusive.Promote;
        var rollout = await BeginStepAsync(plan);

        Time.Jump = TimeSpan.FromDays(days);
        await PassAsync(seconds: 10);
        (await ShouldBeAsync(rollout, RolloutState.Stepping)).Step.Should().Be(0);
        await PassAsync(seconds: 55);

        await ShouldBeAsync(rollout, RolloutState.Paused); // its time is over, and it has had no requests
    }
}
