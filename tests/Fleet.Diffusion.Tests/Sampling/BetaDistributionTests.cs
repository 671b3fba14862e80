using Fleet.Diffusion.Sampling;

namespace Fleet.Diffusion.Tests.Sampling;

/// <summary>Against the shapes whose quantiles are elementary functions.</summary>
public sealed class BetaDistributionTests
{
    public static TheoryData<double> Shares => [1e-9, 1e-4, 0.02, 0.25, 0.5, 0.75, 0.98, 0.9999];

    [Theory]
    [MemberData(nameof(Shares))]
    public void Quantile_OfElementaryShapes_IsTheClosedForm(double p)
    {
        BetaDistribution.Quantile(p, 1, 1).Should().BeApproximately(p, 1e-13);
        BetaDistribution.Quantile(p, 2, 1).Should().BeApproximately(Math.Sqrt(p), 1e-13);
        BetaDistribution.Quantile(p, 1, 3).Should().BeApproximately(1 - Math.Cbrt(1 - p), 1e-13);
        BetaDistribution.Quantile(p, 0.5, 0.5).Should().BeApproximately(Math.Pow(Math.Sin(Math.PI * p / 2), 2), 1e-13);
    }

    [Theory]
    [MemberData(nameof(Shares))]
    public void Quantile_OfTheSamplersShape_IsUndoneByTheDistribution(double p)
    {
        double x = BetaDistribution.Quantile(p, 0.6, 0.6);

        BetaDistribution.Cumulative(x, 0.6, 0.6).Should().BeApproximately(p, 1e-13);
        BetaDistribution.Quantile(1 - p, 0.6, 0.6).Should().BeApproximately(1 - x, 1e-12);
    }

    [Fact]
    public void Quantile_OfNothingAndAll_IsTheEnds()
    {
        BetaDistribution.Quantile(0, 0.6, 0.6).Should().Be(0);
        BetaDistribution.Quantile(1, 0.6, 0.6).Should().Be(1);
    }
}
