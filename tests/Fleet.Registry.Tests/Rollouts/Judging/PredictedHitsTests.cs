using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class PredictedHitsTests
{
    // Of two requests: none with (19.5/20)(20.5/21) = 0.9518, both with (0.5/20)(1.5/21) = 0.0018.
    [Theory]
    [InlineData(0.05, 0)]
    [InlineData(0.04, 1)]
    [InlineData(0.002, 1)]
    [InlineData(0.0017, 2)]
    public void Quantile_OfTwoRequests_IsTheOneByHand(double level, int expected) =>
        PredictedHits.Quantile(2, hits: 0.5, misses: 19.5, level).Should().Be(expected);

    [Fact]
    public void Quantile_OfAWellKnownRate_IsNearlyTheBinomials() =>
        PredictedHits.Quantile(100, hits: 2e6, misses: 98e6, level: 0.01).Should().Be(6); // P(X > 5) = 0.0155, P(X > 6) = 0.0041

    [Fact]
    public void Quantile_OfManyRequestsAtAHighRate_DoesNotUnderflow() =>
        PredictedHits.Quantile(10_000, hits: 5e8, misses: 5e8, level: 0.01).Should().BeInRange(5_100, 5_130); // mean 5000, deviation 50
}
