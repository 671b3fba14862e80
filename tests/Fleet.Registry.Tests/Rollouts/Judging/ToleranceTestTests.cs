using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class ToleranceTestTests
{
    // 0.95^89 = 0.0104, 0.95^90 = 0.0099.
    [Theory]
    [InlineData(89, TestOutcome.Undecided)]
    [InlineData(90, TestOutcome.Good)]
    public void Outcome_OfPairsWithinTheTolerance_IsGoodOnceFiveInAHundredCannotDiffer(int pairs, TestOutcome expected) =>
        Shown(Enumerable.Repeat(0.001, pairs)).Outcome.Should().Be(expected);

    [Theory]
    [InlineData(0.0011)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Outcome_AfterOnePairBeyondIt_IsBadForGood(double distance)
    {
        var test = Shown([.. Enumerable.Repeat(0.0, 200), distance, .. Enumerable.Repeat(0.0, 200)]);

        test.Outcome.Should().Be(TestOutcome.Bad);
        test.Read().EvidenceGood.Should().Be(0);
        double.IsFinite(test.Read().Estimate).Should().BeTrue();
    }

    [Fact]
    public void Outcome_AtAToleranceOfNone_AllowsIdenticalPairsOnly()
    {
        var test = new ToleranceTest("", tolerance: 0, beta: 0.5);
        test.Observe(0);
        test.Outcome.Should().Be(TestOutcome.Undecided);

        test.Observe(double.Epsilon);
        test.Outcome.Should().Be(TestOutcome.Bad);
    }

    private static ToleranceTest Shown(IEnumerable<double> distances)
    {
        var test = new ToleranceTest("pictures/ssim", tolerance: 0.001, beta: 0.01);
        foreach (double distance in distances)
        {
            test.Observe(distance);
        }

        return test;
    }
}
