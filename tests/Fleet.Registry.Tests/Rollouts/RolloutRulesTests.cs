using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Rollouts;
using Fleet.Registry.Rollouts.Judging;
using Fleet.Registry.Rollouts.Plans;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class RolloutRulesTests
{
    private static readonly RolloutOptions Options = new();
    private static readonly TimeSpan Settled = Options.SettleFor;

    private readonly RolloutPlan plan = PlanRules.Complete(new RolloutPlan
    {
        Steps =
        {
            new RolloutStep { Percent = 5, ShadowPercent = 50, MinTime = Seconds(60), MinRequests = 20, MinPairs = 10, MaxTime = Seconds(600) },
            new RolloutStep { Percent = 25, MinTime = Seconds(60), MinRequests = 20, MaxTime = Seconds(600) },
        },
        Readiness = new Readiness { Timeout = Seconds(300) },
    }).Plan;

    private static readonly WarmupReading Ready = new(true, null, "all are ready");
    private static readonly WarmupReading Cold = new(false, null, "0 of 1 encoders ready");
    private static readonly JudgeOpinion Good = new(JudgeVerdict.Good, "all tests are good");
    private static readonly JudgeOpinion Bad = new(JudgeVerdict.Bad, "2 failures");
    private static readonly JudgeOpinion Undecided = new(JudgeVerdict.Continue, "error-rate is undecided");

    public static TheoryData<RolloutState> Running => [.. States.Where(RolloutRules.IsRunning)];

    public static TheoryData<RolloutState> Ended => [.. States.Where(state => !RolloutRules.IsRunning(state))];

    // Before all traffic is with stable again, or with the canary for good.
    public static TheoryData<RolloutState> Undone => [.. States.Where(state => RolloutRules.IsRunning(state) && state != RolloutState.RollingBack)];

    private static IEnumerable<RolloutState> States => System.Enum.GetValues<RolloutState>().Where(state => state != RolloutState.Unspecified);

    [Fact]
    public void Next_ReadyAndSettled_BeginsTheFirstStep() =>
        Next(RolloutState.Warming, Settled, Facts(Ready), step: -1).Should().Be(new Transition(RolloutState.Stepping, 0, Decision.BeginStep, "all are ready"));

    [Fact]
    public void Next_ReadyAndNotSettled_Waits() => Next(RolloutState.Warming, Settled - TimeSpan.FromTicks(1), Facts(Ready), step: -1).Should().BeNull();

    [Fact]
    public void Next_NotReady_WaitsAndThenFailsSayingWhoIsMissing()
    {
        Next(RolloutState.Warming, TimeSpan.FromSeconds(299), Facts(Cold), step: -1).Should().BeNull();

        Next(RolloutState.Warming, TimeSpan.FromSeconds(300), Facts(Cold), step: -1).Should().Be(
            new Transition(RolloutState.Failed, -1, Decision.Fail, "the replicas were not ready within 5 min: 0 of 1 encoders ready"));
    }

    [Theory]
    [InlineData(60, 20, 10, true)]
    [InlineData(59, 20, 10, false)]
    [InlineData(60, 19, 10, false)]
    [InlineData(60, 20, 9, false)]
    public void Next_Good_GoesOnOnlyWithTimeRequestsAndPairs(int seconds, long requests, long pairs, bool goesOn)
    {
        var next = Next(RolloutState.Stepping, TimeSpan.FromSeconds(seconds), Facts(Ready, Good, requests, pairs));

        next?.To.Should().Be(RolloutState.Stepping);
        (next?.Step == 1).Should().Be(goesOn);
    }

    [Fact]
    public void Next_InTheSecondStep_CountsWhatCameSinceItBegan()
    {
        var at = new RolloutProgress(RolloutState.Stepping, 1, TimeSpan.FromSeconds(60), RequestsBefore: 100, PairsBefore: 50);

        RolloutRules.Next(at, plan, Facts(Ready, Good, 119, 50), Options).Should().BeNull();
        RolloutRules.Next(at, plan, Facts(Ready, Good, 120, 50), Options).Should().Be(
            new Transition(RolloutState.Promoting, 1, Decision.Promote, "all tests are good"));
    }

    [Fact]
    public void Next_UndecidedBeforeMaxTime_Waits() =>
        Next(RolloutState.Stepping, TimeSpan.FromSeconds(599), Facts(Ready, Undecided, 1000, 1000)).Should().BeNull();

    [Theory]
    [InlineData(Inconclusive.Pause, 1000, RolloutState.Paused, Decision.Pause)]
    [InlineData(Inconclusive.RollBack, 1000, RolloutState.RollingBack, Decision.RollBack)]
    [InlineData(Inconclusive.Promote, 1000, RolloutState.Stepping, Decision.BeginStep)]
    [InlineData(Inconclusive.Promote, 19, RolloutState.Paused, Decision.Pause)] // never on by time alone
    public void Next_UndecidedAtMaxTime_DoesWhatThePlanSays(Inconclusive inconclusive, long requests, RolloutState to, Decision decision)
    {
        plan.Inconclusive = inconclusive;

        var next = Next(RolloutState.Stepping, TimeSpan.FromSeconds(600), Facts(Ready, Undecided, requests, 1000));

        next.Should().Match<Transition>(transition => transition.To == to && transition.Decision == decision);
        next!.Reason.Should().Contain($"{requests} canary requests").And.Contain("error-rate is undecided");
    }

    [Fact]
    public void Next_GoodAndYearsLaterWithoutRequests_IsNotPromoted()
    {
        plan.Inconclusive = Inconclusive.Promote;

        Next(RolloutState.Stepping, TimeSpan.FromDays(3650), Facts(Ready, Good, requests: 0, pairs: 0), step: 1)!.To.Should().Be(RolloutState.Paused);
    }

    [Theory]
    [MemberData(nameof(Undone))]
    public void Next_Bad_RollsBackAtOnce(RolloutState state) =>
        Next(state, TimeSpan.Zero, Facts(Ready, Bad)).Should().Be(new Transition(RolloutState.RollingBack, 0, Decision.RollBack, "2 failures"));

    [Theory]
    [MemberData(nameof(Undone))]
    public void Next_AReplicaThatCannotLoad_RollsBackAtOnce(RolloutState state) =>
        Next(state, TimeSpan.Zero, Facts(new WarmupReading(false, "it cannot load", ""), Good, 1000, 1000))
            .Should().Be(new Transition(RolloutState.RollingBack, 0, Decision.RollBack, "it cannot load"));

    [Theory]
    [MemberData(nameof(Undone))]
    public void Next_AliasMovedBySomebodyElse_Fails(RolloutState state) =>
        Next(state, TimeSpan.Zero, Facts(Ready, Good) with { AliasNow = "sha256:1" })!.To.Should().Be(RolloutState.Failed);

    [Fact]
    public void Next_Promoting_IsCarriedOut() => Next(RolloutState.Promoting, TimeSpan.Zero, Facts(Ready))!.To.Should().Be(RolloutState.Promoted);

    [Fact]
    public void Next_Paused_WaitsForAPersonHoweverGood() =>
        Next(RolloutState.Paused, TimeSpan.FromDays(3650), Facts(Ready, Good, 1000, 1000)).Should().BeNull();

    [Fact]
    public void Next_RollingBack_EndsWhenItHasDrained()
    {
        Next(RolloutState.RollingBack, Options.DrainFor - TimeSpan.FromTicks(1), Facts(Ready, Bad)).Should().BeNull();
        Next(RolloutState.RollingBack, Options.DrainFor, Facts(Ready, Bad) with { AliasNow = "sha256:1" })!.To.Should().Be(RolloutState.RolledBack);
    }

    [Theory]
    [MemberData(nameof(Ended))]
    public void Next_Ended_IsNothing(RolloutState state) =>
        Next(state, TimeSpan.FromDays(1), Facts(new WarmupReading(true, "it cannot load", ""), Bad) with { AliasNow = "none" }).Should().BeNull();

    [Theory]
    [InlineData(RolloutAction.Pause, RolloutState.Warming, -1, RolloutState.Paused, -1)]
    [InlineData(RolloutAction.Pause, RolloutState.Stepping, 1, RolloutState.Paused, 1)]
    [InlineData(RolloutAction.Resume, RolloutState.Paused, -1, RolloutState.Warming, -1)]
    [InlineData(RolloutAction.Resume, RolloutState.Paused, 0, RolloutState.Stepping, 0)]
    [InlineData(RolloutAction.Step, RolloutState.Warming, -1, RolloutState.Stepping, 0)]
    [InlineData(RolloutAction.Step, RolloutState.Stepping, 0, RolloutState.Stepping, 1)]
    [InlineData(RolloutAction.Step, RolloutState.Paused, 1, RolloutState.Promoting, 1)]
    [InlineData(RolloutAction.Promote, RolloutState.Stepping, 0, RolloutState.Promoting, 0)]
    [InlineData(RolloutAction.Promote, RolloutState.Paused, 1, RolloutState.Promoting, 1)]
    [InlineData(RolloutAction.RollBack, RolloutState.Warming, -1, RolloutState.RollingBack, -1)]
    [InlineData(RolloutAction.RollBack, RolloutState.Stepping, 1, RolloutState.RollingBack, 1)]
    [InlineData(RolloutAction.RollBack, RolloutState.Paused, 0, RolloutState.RollingBack, 0)]
    [InlineData(RolloutAction.RollBack, RolloutState.Promoting, 1, RolloutState.RollingBack, 1)]
    public void Override_WhereItIsAllowed_LeadsThere(RolloutAction action, RolloutState from, int step, RolloutState to, int toStep) =>
        Override(from, step, action).Should().Match<Transition>(next => next.To == to && next.Step == toStep && next.Reason == "because");

    [Theory]
    [InlineData(RolloutAction.Pause, RolloutState.Warming, RolloutState.Stepping)]
    [InlineData(RolloutAction.Resume, RolloutState.Paused)]
    [InlineData(RolloutAction.Step, RolloutState.Warming, RolloutState.Stepping, RolloutState.Paused)]
    [InlineData(RolloutAction.Promote, RolloutState.Stepping, RolloutState.Paused)]
    [InlineData(RolloutAction.RollBack, RolloutState.Warming, RolloutState.Stepping, RolloutState.Paused, RolloutState.Promoting)]
    public void Override_AnywhereElse_IsRefused(RolloutAction action, params RolloutState[] allowed)
    {
        foreach (var state in States.Except(allowed))
        {
            FluentActions.Invoking(() => Override(state, 0, action)).Should().Throw<PreconditionException>(state.ToString());
        }
    }

    [Fact]
    public void Override_PromoteBeforeTheFirstStep_IsRefused() =>
        FluentActions.Invoking(() => Override(RolloutState.Paused, -1, RolloutAction.Promote)).Should().Throw<PreconditionException>()
            .WithMessage("a rollout that was paused before its first step cannot be promoted; only one that has begun its first step can");

    [Fact]
    public void Traffic_IsNoneOutsideOfSteps()
    {
        foreach (var state in States.Except([RolloutState.Stepping, RolloutState.Paused, RolloutState.Promoting]))
        {
            RolloutRules.Traffic(At(state, TimeSpan.Zero, 1), plan).Should().Be((0.0, 0.0), state.ToString());
        }

        RolloutRules.Traffic(At(RolloutState.Paused, TimeSpan.Zero, -1), plan).Should().Be((0.0, 0.0));
        RolloutRules.Traffic(At(RolloutState.Paused, TimeSpan.Zero, 0), plan).Should().Be((5.0, 50.0));
        RolloutRules.Traffic(At(RolloutState.Promoting, TimeSpan.Zero, 0), plan).Should().Be((5.0, 0.0));
    }

    private Transition? Next(RolloutState state, TimeSpan elapsed, RolloutFacts facts, int step = 0) =>
        RolloutRules.Next(At(state, elapsed, step), plan, facts, Options);

    private Transition Override(RolloutState state, int step, RolloutAction action) =>
        RolloutRules.Override(At(state, TimeSpan.Zero, step), plan, action, "because");

    private static RolloutProgress At(RolloutState state, TimeSpan elapsed, int step) => new(state, step, elapsed, 0, 0);

    private static RolloutFacts Facts(WarmupReading warmup, JudgeOpinion? opinion = null, long requests = 0, long pairs = 0) =>
        new(warmup, opinion ?? Undecided, requests, pairs);

    private static Duration Seconds(int seconds) => Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds));
}
