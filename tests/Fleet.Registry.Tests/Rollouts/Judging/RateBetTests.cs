using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class RateBetTests
{
    private const double Limit = 0.05;

    // (1 + 0.5 (1 - 0.1 - 0.05)) (1 + 0.5 / 2 x 0.1)^2 for one canary hit and two stable misses.
    [Fact]
    public void LogFactor_OfAKnownBlock_IsTheProductByHand() =>
        new RateBet(Reference: 0.1, Stake: 0.5).LogFactor(Limit, new Tally(1, 1), new Tally(2, 0))
            .Should().BeApproximately(Math.Log(1.425 * 1.025 * 1.025), 1e-12);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 15)]
    [InlineData(8, 8)]
    [InlineData(15, 1)]
    public void Above_WhereTheRiseIsAtMostTheLimit_HasAMeanFactorOfAtMostOne(int c, int s)
    {
        foreach (double assumed in Rates)
        {
            var bet = RateBet.Above(1.5 * (assumed + Limit), assumed, Limit, c, s);
            foreach (double stable in Rates)
            {
                MeanFactor(bet, c, stable + Limit, s, stable).Should().BeLessThanOrEqualTo(1 + 1e-12);
                MeanFactor(bet, c, stable, s, stable).Should().BeLessThanOrEqualTo(1 + 1e-12);
            }
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 15)]
    [InlineData(8, 8)]
    [InlineData(15, 1)]
    public void Below_WhereTheRiseIsAtLeastTheLimit_HasAMeanFactorOfAtMostOne(int c, int s)
    {
        foreach (double assumed in Rates)
        {
            var bet = RateBet.Below(assumed, assumed, Limit, c, s);
            foreach (double stable in Rates)
            {
                MeanFactor(bet, c, stable + Limit, s, stable).Should().BeLessThanOrEqualTo(1 + 1e-12);
                MeanFactor(bet, c, stable + (2 * Limit), s, stable).Should().BeLessThanOrEqualTo(1 + 1e-12);
            }
        }
    }

    [Fact]
    public void Above_WhereTheCanaryIsWorse_GrowsOnAverage() =>
        MeanLogFactor(RateBet.Above(0.2, 0.02, Limit, 1, 15), 1, 0.2, 15, 0.02).Should().BePositive();

    [Fact]
    public void Below_WhereNothingChanged_GrowsOnAverage() =>
        MeanLogFactor(RateBet.Below(0.02, 0.02, Limit, 1, 15), 1, 0.02, 15, 0.02).Should().BePositive();

    private static double[] Rates => [0, 0.001, 0.02, 0.1, 0.4, 0.8];

    private static double MeanFactor(RateBet bet, int c, double canary, int s, double stable) =>
        Expected(c, canary, s, stable, (x, y) => Math.Exp(bet.LogFactor(Limit, x, y)));

    private static double MeanLogFactor(RateBet bet, int c, double canary, int s, double stable) =>
        Expected(c, canary, s, stable, (x, y) => bet.LogFactor(Limit, x, y));

    private static double Expected(int c, double canary, int s, double stable, Func<Tally, Tally, double> of)
    {
        double sum = 0;
        for (int i = 0; i <= c; i++)
        {
            for (int j = 0; j <= s; j++)
            {
                sum += Chance.Binomial(c, i, canary) * Chance.Binomial(s, j, stable) * of(new Tally(c, i), new Tally(s, j));
            }
        }

        return sum;
    }
}
