using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class RolloutLifeTestsOnSqlite() : RolloutLifeTests(TestDatabase.Sqlite);

public sealed class RolloutLifeTestsOnPostgres() : RolloutLifeTests(TestDatabase.Postgres);

public abstract class RolloutLifeTests(TestDatabase database) : RolloutTest(database)
{
    [Fact]
    public async Task Start_WarmsFirst_AndMovesTrafficWhenEveryStageIsReady()
    {
        var rollout = await BeginAsync();
        rollout.Id.Should().MatchRegex("^ro-[0-9a-z]{12}$");
        rollout.State.Should().Be(RolloutState.Warming);
        rollout.Stable.Should().Be(Stable);

        await ReportAsync(rollout, "encoder", "one", ReplicaState.Ready);
        await ReportAsync(rollout, "denoiser", "one", ReplicaState.Loading);
        await ReportAsync(rollout, "decoder", "one", ReplicaState.Ready);
        await PassAsync(seconds: 10);
        (await ShouldBeAsync(rollout, RolloutState.Warming)).Percent.Should().Be(0);

        await ReportAsync(rollout, "denoiser", "one", ReplicaState.Ready);
        await PassAsync(seconds: 1);
        var stepping = await ShouldBeAsync(rollout, RolloutState.Stepping);
        stepping.Step.Should().Be(0);
        stepping.Percent.Should().Be(5);
        stepping.Replicas.Should().HaveCount(3).And.OnlyContain(replica => replica.State == ReplicaState.Ready && replica.Took.Equals(Seconds(1.5)));
        stepping.Verdicts.Should().ContainSingle().Which.Decision.Should().Be(Decision.BeginStep);
    }

    [Fact]
    public async Task Warming_AReplicaThatCannotLoad_RollsBackWithoutAnyTraffic()
    {
        var rollout = await BeginAsync();
        await ReportReadyAsync(rollout);
        await ReportAsync(rollout, "denoiser", "two", ReplicaState.Failed, "unet holds NaN");

        await PassAsync(seconds: 4);

        var ended = await ShouldBeAsync(rollout, RolloutState.RolledBack);
        ended.Verdicts.Should().ContainSingle().Which.Reason.Should().Be("denoiser replica 'two' cannot load the canary: unet holds NaN");
        ended.Step.Should().Be(-1);
        (await StableAliasAsync()).Should().Be(Stable);
    }

    [Fact]
    public async Task Warming_WithoutReplicas_FailsAtItsTimeout()
    {
        var rollout = await BeginAsync();

        await PassAsync(seconds: 59);
        await ShouldBeAsync(rollout, RolloutState.Warming);
        await PassAsync(seconds: 3);

        (await ShouldBeAsync(rollout, RolloutState.Failed)).Reason.Should().Be(
            "the replicas were not ready within 60 s: 0 of 0 encoders ready, 0 of 0 denoisers ready, 0 of 0 decoders ready");
    }

    [Fact]
    public async Task Stepping_AGuardThatIsPassed_RollsBackOnArrivalAndKeepsTheEvidence()
    {
        var rollout = await BeginStepAsync();

        await ReportAsync(Outcome(rollout, Arm.Stable), Outcome(rollout, Arm.Canary, Fault.NotFinite), Outcome(rollout, Arm.Canary, Fault.NotFinite));
        using var watch = Registry.Rollouts.WatchRollout(new WatchRolloutRequest { Rollout = rollout.Id }, cancellationToken: Cancellation);
        await foreach (var response in watch.ResponseStream.ReadAllAsync(Cancellation)) // time does not pass: only the arrival can have woken it
        {
            if (response.Rollout.State == RolloutState.RollingBack)
            {
                break;
            }
        }

        await PassAsync(seconds: 3);
        var ended = await ShouldBeAsync(rollout, RolloutState.RolledBack);
        ended.Percent.Should().Be(0);
        ended.CanaryCounts.NotFinite.Should().Be(2);
        var verdict = ended.Verdicts[^1];
        verdict.Decision.Should().Be(Decision.RollBack);
        verdict.Actor.Should().Be("judge");
        verdict.CanaryCounts.Failures.Should().Be(2);
        verdict.StableCounts.Requests.Should().Be(1);
        (await StableAliasAsync()).Should().Be(Stable);
    }

    [Fact]
    public async Task Promote_MovesTheAliasAndEnds()
    {
        var rollout = await BeginStepAsync();

        (await ControlAsync(rollout, RolloutAction.Promote, "it is fine")).State.Should().Be(RolloutState.Promoting);
        (await StableAliasAsync()).Should().Be(Stable);
        await PassAsync(seconds: 0.5);

        var ended = await ShouldBeAsync(rollout, RolloutState.Promoted);
        ended.EndedAt.Should().NotBeNull();
        ended.Verdicts[^1].Should().Match<Verdict>(verdict => verdict.Actor == "anonymous" && verdict.Reason == "it is fine");
        (await StableAliasAsync()).Should().Be(Canary);
        var log = await Registry.Audit.ListEntriesAsync(new ListEntriesRequest { Model = Model, PageSize = 1000 }, cancellationToken: Cancellation);
        log.Entries.Where(entry => entry.Subject == rollout.Id || entry.Actor == $"rollout {rollout.Id}").Select(entry => $"{entry.Actor}: {entry.Action}")
            .Should().Equal(
                "anonymous: rollout.start", $"rollout {rollout.Id}: rollout.step", "anonymous: rollout.promote",
                $"rollout {rollout.Id}: rollout.promoted", $"rollout {rollout.Id}: alias.set");
    }

    [Fact]
    public async Task Stepping_AliasMovedBySomebodyElse_FailsAndLeavesItThere()
    {
        var rollout = await BeginStepAsync();
        string third = await PublishAsync(2);

        await Registry.Client.SetAliasAsync(Model, "stable", third, cancellationToken: Cancellation);
        await PassAsync(seconds: 0.5);

        (await ShouldBeAsync(rollout, RolloutState.Failed)).Reason.Should().Contain(third);
        (await StableAliasAsync()).Should().Be(third);
    }

    [Fact]
    public async Task Start_WithoutTheAlias_ComparesWithTheNewestVersionAndPromotesByMakingTheAlias()
    {
        await Registry.Client.DeleteAliasAsync(Model, "stable", Cancellation);
        (Stable, Canary) = (Canary, Stable); // the newest one is what the model means now

        var rollout = await BeginStepAsync();
        await ControlAsync(rollout, RolloutAction.Promote);
        await PassAsync(seconds: 0.5);

        rollout.Stable.Should().Be(Stable);
        await ShouldBeAsync(rollout, RolloutState.Promoted);
        (await StableAliasAsync()).Should().Be(Canary);
    }

    [Fact]
    public async Task Stepping_UndecidedAtMaxTime_IsPausedKeepsItsTrafficAndMayBeResumed()
    {
        var rollout = await BeginStepAsync();

        await PassAsync(seconds: 61);
        (await ShouldBeAsync(rollout, RolloutState.Paused)).Percent.Should().Be(5);
        (await ControlAsync(rollout, RolloutAction.Resume)).State.Should().Be(RolloutState.Stepping);
        await PassAsync(seconds: 30);
        await ShouldBeAsync(rollout, RolloutState.Stepping);
        await ControlAsync(rollout, RolloutAction.Step);

        (await ShouldBeAsync(rollout, RolloutState.Stepping)).Percent.Should().Be(25);
    }

    [Fact]
    public async Task Paused_AGuardThatIsPassed_StillRollsBack()
    {
        var rollout = await BeginStepAsync();
        await ControlAsync(rollout, RolloutAction.Pause);

        await ReportAsync(Outcome(rollout, Arm.Canary, Fault.NotFinite), Outcome(rollout, Arm.Canary, Fault.NotFinite));
        await PassAsync(seconds: 0.5);

        (await GetAsync(rollout.Id)).State.Should().Be(RolloutState.RollingBack);
    }

    [Fact]
    public async Task Control_WhereTheStateDoesNotAllowIt_IsRefused()
    {
        var rollout = await BeginAsync();

        (await ShouldFailAsync(() => ControlAsync(rollout, RolloutAction.Promote), StatusCode.FailedPrecondition)).Status.Detail
            .Should().Be("a rollout that is warming cannot be promoted; only one that has begun its first step can");
        (await ShouldFailAsync(() => ControlAsync(rollout, RolloutAction.Pause, ""), StatusCode.InvalidArgument)).Status.Detail
            .Should().StartWith("reason is empty");
        (await ShouldFailAsync(() => ControlAsync(rollout, RolloutAction.Unspecified), StatusCode.InvalidArgument)).Status.Detail
            .Should().StartWith("action is 0");
    }
}
