using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class RiseTestTests
{
    private const double Limit = 0.02;

    // Two blocks of 4 canary and 12 stable requests, the bets of the second depending on the first: every outcome with its chance.
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.1)]
    [InlineData(0.5)]
    public void Evidence_AtTheLimit_HasAMeanOfAtMostOneBothWays(double stable)
    {
        double bad = 0;
        double good = 0;
        foreach (var (first, chanceOfFirst) in Blocks(stable))
        {
            foreach (var (second, chanceOfSecond) in Blocks(stable))
            {
                var test = New();
                Show(test, first);
                Show(test, second);
                bad += chanceOfFirst * chanceOfSecond * test.Read().EvidenceBad;
                good += chanceOfFirst * chanceOfSecond * test.Read().EvidenceGood;
            }
        }

        bad.Should().BeInRange(0.3, 1 + 1e-9);
        good.Should().BeInRange(0.3, 1 + 1e-9);
    }

    [Fact]
    public void Samples_BeforeBothArmsAreInABlock_AreNone()
    {
        var test = New();
        for (int i = 0; i < 100; i++)
        {
            test.Observe(Arm.Canary, hit: true);
        }

        test.Samples.Should().Be(0);
        test.Outcome.Should().Be(TestOutcome.Undecided);
    }

    [Fact]
    public void Bounds_OverManyStreams_HoldTheRiseAtAllTimes()
    {
        const int Streams = 300;
        int missed = Enumerable.Range(0, Streams).Count(seed => !AlwaysHeld(seed, stable: 0.05, canary: 0.09));

        missed.Should().BeLessThanOrEqualTo((int)(0.1 * Streams)); // levels 0.05 and 0.05
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void Read_AtRatesOfNoneOrAll_HasFiniteNumbersInOrder(double stable, double canary)
    {
        var test = New();
        foreach (var outcome in Observations.Stream(20_000, stable, canary))
        {
            test.Observe(outcome.Arm, outcome.Fault == Fault.Error);
        }

        var reading = test.Read();
        new[] { reading.Estimate, reading.Lower, reading.Upper, reading.EvidenceBad, reading.EvidenceGood }.Should().OnlyContain(x => double.IsFinite(x));
        reading.Lower.Should().BeLessThanOrEqualTo(canary - stable);
        reading.Upper.Should().BeGreaterThanOrEqualTo(canary - stable);
        reading.Outcome.Should().Be(canary > stable ? TestOutcome.Bad : TestOutcome.Good);
    }

    [Fact]
    public void Outcome_WhenBothArmsFailTogether_IsNotBad()
    {
        var test = New();
        var random = new Random(3);
        for (int i = 0; i < 50_000; i++)
        {
            bool outage = i / 2_000 % 2 == 1;
            test.Observe(random.NextDouble() < 0.2 ? Arm.Canary : Arm.Stable, random.NextDouble() < (outage ? 0.9 : 0.01));
        }

        test.Outcome.Should().NotBe(TestOutcome.Bad);
    }

    private static RiseTest New() => new("error-rate", Limit, alpha: 0.05, beta: 0.05);

    private static bool AlwaysHeld(int seed, double stable, double canary)
    {
        var test = New();
        foreach (var outcome in Observations.Stream(2_000, stable, canary, seed))
        {
            long before = test.Samples;
            test.Observe(outcome.Arm, outcome.Fault == Fault.Error);
            if (test.Samples > before && test.Read() is var reading && (reading.Lower > canary - stable || reading.Upper < canary - stable))
            {
                return false;
            }
        }

        return true;
    }

    private static IEnumerable<((int Canary, int Stable) Hits, double Chance)> Blocks(double stable) =>
        from canaryHits in Enumerable.Range(0, 5)
        from stableHits in Enumerable.Range(0, 13)
        select ((canaryHits, stableHits), Chance.Binomial(4, canaryHits, stable + Limit) * Chance.Binomial(12, stableHits, stable));

    private static void Show(RiseTest test, (int Canary, int Stable) hits)
    {
        for (int i = 0; i < 4; i++)
        {
            test.Observe(Arm.Canary, i < hits.Canary);
        }

        for (int i = 0; i < 12; i++)
        {
            test.Observe(Arm.Stable, i < hits.Stable);
        }
    }
}
