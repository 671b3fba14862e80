using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class JudgeTests
{
    [Fact]
    public void Opinion_OfACanaryLikeStable_BecomesGood()
    {
        var judge = new Judge(Observations.Plan()).Shown(Observations.Stream(30_000, 0.001, 0.001));

        judge.Opinion().Verdict.Should().Be(JudgeVerdict.Good);
        judge.Opinion().Reason.Should().Contain("error-rate");
        judge.Undecided.Should().BeEmpty();
    }

    [Fact]
    public void Opinion_OfARiseFromTwoToFourPercent_BecomesBadWithTheTestAndItsNumbers()
    {
        var judge = new Judge(Observations.Plan()).Shown(Observations.Stream(40_000, 0.02, 0.04));

        judge.Opinion().Verdict.Should().Be(JudgeVerdict.Bad);
        judge.Opinion().Reason.Should().StartWith("error-rate").And.Contain("0.005");
        judge.Reading("error-rate").Lower.Should().BeGreaterThanOrEqualTo(0.005);
    }

    [Fact]
    public void Opinion_BeforeAnything_WaitsForTheErrorRate()
    {
        var judge = new Judge(Observations.Plan());

        judge.Opinion().Verdict.Should().Be(JudgeVerdict.Continue);
        judge.Undecided.Should().Equal("error-rate");
    }

    [Fact]
    public void Opinion_WithShadowRunsInThePlan_WaitsForPairs()
    {
        var judge = new Judge(Observations.Plan(plan => plan.Steps[0].ShadowPercent = 10)).Shown(Observations.Stream(30_000, 0.001, 0.001));
        judge.Undecided.Should().Equal("pictures/ssim");

        for (int i = 0; i < 100; i++)
        {
            judge.Observe(Observations.Pair(ssim: 0.9));
        }

        judge.Pairs.Should().Be(100);
        judge.Opinion().Verdict.Should().Be(JudgeVerdict.Good);
    }

    [Fact]
    public void Opinion_OfDistantPictures_BecomesBad()
    {
        var judge = new Judge(Observations.Plan());
        for (int i = 0; i < 200; i++)
        {
            judge.Observe(Observations.Pair(ssim: 0.1));
        }

        judge.Opinion().Reason.Should().StartWith("pictures/ssim");
    }

    [Fact]
    public void Opinion_OfOneDifferingPairWhereAllMustBeIdentical_IsBadAtOnce()
    {
        var judge = new Judge(Observations.Plan(plan =>
        {
            plan.Kind = ChangeKind.MustBeIdentical;
            plan.Steps[0].ShadowPercent = 10;
        }));
        judge.Observe(Observations.Pair(ssim: 0.998));

        judge.Opinion().Verdict.Should().Be(JudgeVerdict.Bad);
    }

    [Fact]
    public void Opinion_OfBlankPicturesAfterTheGuardsWindow_IsTheErrorRates()
    {
        var judge = new Judge(Observations.Plan()).Shown(Observations.Stream(2_000, 0, 0));
        judge.Shown(Observations.Stream(2_000, 0, 0.3).Select(outcome => Observations.Of(outcome.Arm, outcome.Fault == Fault.Error ? Fault.Black : Fault.None)));

        judge.Opinion().Reason.Should().StartWith("error-rate");
        judge.Canary.Blank.Should().BePositive();
        judge.Canary.Failures.Should().Be(0);
    }

    [Fact]
    public void Opinion_OfMoreFlaggedPictures_BecomesBad()
    {
        var judge = new Judge(Observations.Plan());
        foreach (var outcome in Observations.Stream(20_000, 0.01, 0.08))
        {
            outcome.Flagged = outcome.Fault == Fault.Error;
            outcome.Fault = Fault.None;
            judge.Observe(outcome);
        }

        judge.Opinion().Reason.Should().StartWith("flag-rate");
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public void Readings_OfColdRequests_LeaveTheirTimesOut(bool cold, long samples)
    {
        var judge = new Judge(Observations.Plan());
        foreach (var arm in new[] { Arm.Stable, Arm.Canary })
        {
            judge.Observe(new RequestOutcome { Arm = arm, Fault = Fault.None, EncodeMs = 5, DenoiseMs = 900, DecodeMs = 50, Steps = 20, Count = 1, Cold = cold });
        }

        judge.Readings().Where(reading => reading.Name.StartsWith("latency/", StringComparison.Ordinal)).Sum(reading => reading.Samples).Should().Be(3 * samples);
    }

    [Fact]
    public void Readings_OfTheSameObservationsAgain_AreEqual()
    {
        var first = new Judge(Observations.Plan()).Shown(Observations.Stream(5_000, 0.02, 0.03));
        var again = new Judge(Observations.Plan()).Shown(Observations.Stream(5_000, 0.02, 0.03));

        again.Readings().Should().Equal(first.Readings());
        again.Opinion().Should().Be(first.Opinion());
    }

    [Fact]
    public void Opinion_OfAnotherOrder_AgreesAboutAClearRise()
    {
        var outcomes = Observations.Stream(40_000, 0.01, 0.05).ToArray();
        new Random(5).Shuffle(outcomes);

        new Judge(Observations.Plan()).Shown(outcomes).Opinion().Verdict.Should().Be(JudgeVerdict.Bad);
    }

    [Fact]
    public void Counts_OfAllKinds_AreThoseOfTheArm()
    {
        var judge = new Judge(Observations.Plan());
        judge.Observe(new RequestOutcome { Arm = Arm.Canary, Fault = Fault.NotFinite, Rescued = true, RequestId = "a" });
        judge.Observe(new RequestOutcome { Arm = Arm.Canary, Fault = Fault.None, Flagged = true });
        judge.Observe(new RequestOutcome { Arm = Arm.Stable, Fault = Fault.White });

        judge.Canary.Should().Be(new ArmCounts { Requests = 2, Failures = 1, NotFinite = 1, Flagged = 1, Rescued = 1 });
        judge.Stable.Should().Be(new ArmCounts { Requests = 1, Blank = 1 });
    }
}
