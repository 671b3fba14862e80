using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class MeanTestTests
{
    // x is 0 or 1 with a mean of exactly the limit: the mean wealth is 1 after any number of observations.
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(12)]
    public void Evidence_AtTheLimit_HasAMeanOfOneBothWays(int length)
    {
        const double Limit = 0.3;
        double bad = 0;
        double good = 0;
        foreach (bool[] ones in Chance.Sequences(length))
        {
            var test = new MeanTest("", Limit, range: 1, alpha: 0.05, beta: 0.05);
            Array.ForEach(ones, one => test.Observe(one ? 1 : 0));
            double chance = ones.Aggregate(1.0, (product, one) => product * (one ? Limit : 1 - Limit));
            bad += chance * test.Read().EvidenceBad;
            good += chance * test.Read().EvidenceGood;
        }

        bad.Should().BeApproximately(1, 1e-9);
        good.Should().BeApproximately(1, 1e-9);
    }

    // The eight bets are 0.9, 0.45, ... of the largest; the mean of 1 + bet / 0.5 x 0.5 is 1 + 0.9 x (2 - 1/128) / 8.
    [Fact]
    public void Evidence_AfterOneObservationOfOne_IsTheMeanByHand()
    {
        var test = new MeanTest("", limit: 0.5, range: 1, alpha: 0.05, beta: 0.05);
        test.Observe(1);

        test.Read().EvidenceBad.Should().BeApproximately(1 + (0.9 * (2 - (1.0 / 128)) / 8), 1e-12);
        test.Read().EvidenceGood.Should().BeApproximately(1 - (0.9 * (2 - (1.0 / 128)) / 8), 1e-12);
    }

    [Fact]
    public void Bounds_OverManyStreams_HoldTheMeanAtAllTimes()
    {
        const int Streams = 300;
        int missed = Enumerable.Range(0, Streams).Count(seed => !AlwaysHeld(new Random(seed)));

        missed.Should().BeLessThanOrEqualTo((int)(0.1 * Streams)); // levels 0.05 and 0.05
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e300)]
    public void Observe_OfWhatIsBeyondTheRange_CountsAsTheRange(double value)
    {
        var test = new MeanTest("", limit: 1, range: 4, alpha: 0.05, beta: 0.05);
        test.Observe(value);

        test.Read().Estimate.Should().Be(4);
    }

    [Theory]
    [InlineData(0, TestOutcome.Good)]
    [InlineData(0.4, TestOutcome.Good)]
    [InlineData(0.6, TestOutcome.Bad)]
    [InlineData(1, TestOutcome.Bad)]
    public void Outcome_OfEqualValues_IsDecidedWithinBounds(double value, TestOutcome expected)
    {
        var test = new MeanTest("", limit: 0.5, range: 1, alpha: 0.05, beta: 0.05);
        for (int i = 0; i < 5_000; i++)
        {
            test.Observe(value);
        }

        test.Read().Outcome.Should().Be(expected);
        test.Read().Lower.Should().BeLessThanOrEqualTo(value);
        test.Read().Upper.Should().BeGreaterThanOrEqualTo(value);
    }

    private static bool AlwaysHeld(Random random)
    {
        var test = new MeanTest("", limit: 0.4, range: 1, alpha: 0.05, beta: 0.05);
        for (int i = 0; i < 400; i++)
        {
            test.Observe(random.NextDouble() * random.NextDouble()); // mean 1/4
            if (test.Read() is var reading && (reading.Lower > 0.25 || reading.Upper < 0.25))
            {
                return false;
            }
        }

        return true;
    }
}
