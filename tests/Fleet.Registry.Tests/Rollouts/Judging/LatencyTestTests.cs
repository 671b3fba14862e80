using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class LatencyTestTests
{
    private static readonly LatencyStratum Small = new(512, 512, 20, 1);
    private static readonly LatencyStratum Large = new(1024, 1024, 20, 1);

    [Theory]
    [InlineData(1.0, TestOutcome.Good)]
    [InlineData(1.5, TestOutcome.Bad)]
    [InlineData(2.0, TestOutcome.Bad)]
    public void Outcome_OfNoisyDriftingTimes_IsThatOfTheRatio(double ratio, TestOutcome expected)
    {
        var test = Show(ratio, requests: 4_000);

        var reading = test.Read();
        reading.Outcome.Should().Be(expected);
        reading.Lower.Should().BeLessThanOrEqualTo(ratio);
        reading.Upper.Should().BeGreaterThanOrEqualTo(ratio);
        reading.Estimate.Should().BeApproximately(ratio, 0.1);
    }

    [Fact]
    public void Observe_InStrataThatTheArmsDoNotShare_ComparesNothing()
    {
        var test = New();
        for (int i = 0; i < 100; i++)
        {
            test.Observe(Arm.Stable, Small, 100);
            test.Observe(Arm.Canary, Large, 400);
        }

        test.Samples.Should().Be(0);
    }

    [Fact]
    public void Observe_OfEachStableTime_UsesItOnce()
    {
        var test = New();
        test.Observe(Arm.Stable, Small, 100);
        test.Observe(Arm.Canary, Small, 100);
        test.Observe(Arm.Canary, Small, 100);
        test.Samples.Should().Be(1);

        test.Observe(Arm.Stable, Small, 100);
        test.Samples.Should().Be(2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Observe_OfNoTime_IsLeftOut(double latency)
    {
        var test = New();
        test.Observe(Arm.Stable, Small, latency);
        test.Observe(Arm.Canary, Small, 100);

        test.Samples.Should().Be(0);
    }

    [Fact]
    public void Read_OfHugeTimes_HasFiniteNumbers()
    {
        var test = New();
        for (int i = 0; i < 1_000; i++)
        {
            test.Observe(Arm.Stable, Small, double.Epsilon);
            test.Observe(Arm.Canary, Small, double.MaxValue);
        }

        var reading = test.Read();
        new[] { reading.Estimate, reading.Lower, reading.Upper, reading.EvidenceBad, reading.EvidenceGood }.Should().OnlyContain(x => double.IsFinite(x));
        reading.Outcome.Should().Be(TestOutcome.Bad);
    }

    [Fact]
    public void Observe_OfMoreStrataThanMayBe_KeepsTheFirst()
    {
        var test = New();
        for (int width = 0; width < 5_000; width++)
        {
            test.Observe(Arm.Stable, new LatencyStratum(width, 8, 20, 1), 100);
        }

        test.Observe(Arm.Canary, new LatencyStratum(0, 8, 20, 1), 100);
        test.Observe(Arm.Canary, new LatencyStratum(4_999, 8, 20, 1), 100);

        test.Samples.Should().Be(1);
    }

    private static LatencyTest New() => new("latency/denoise", 1.25, alpha: 0.005, beta: 0.01);

    private static LatencyTest Show(double ratio, int requests)
    {
        var test = New();
        var random = new Random(7);
        for (int i = 0; i < requests; i++)
        {
            bool ofCanary = random.NextDouble() < 0.2;
            var stratum = random.NextDouble() < 0.5 ? Small : Large;
            double surroundings = Math.Exp(Math.Sin(i / 300.0) + (0.4 * (random.NextDouble() - random.NextDouble())));
            test.Observe(ofCanary ? Arm.Canary : Arm.Stable, stratum, stratum.Width * surroundings * (ofCanary ? ratio : 1));
        }

        return test;
    }
}
