using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class SignTestTests
{
    [Fact]
    public void Evidence_WhenBeyondTheRatioIsAsLikelyAsWithin_HasAMeanOfOneBothWays()
    {
        const int Length = 12;
        double bad = 0;
        double good = 0;
        foreach (bool[] slower in Chance.Sequences(Length))
        {
            var test = New();
            Array.ForEach(slower, slow => test.Observe(slow ? 126 : 124, [100]));
            bad += test.Beyond.Value / (1 << Length);
            good += test.Within.Value / (1 << Length);
        }

        bad.Should().BeApproximately(1, 1e-9);
        good.Should().BeApproximately(1, 1e-9);
    }

    // Above two of three: s = 1/3; stakes 0.8, 0.4, 0.2, 0.1, 0.05 have a mean of 0.31.
    [Fact]
    public void Evidence_AfterOneComparison_IsTheMeanByHand()
    {
        var test = New();
        test.Observe(125.5, [100, 90, 110]);

        test.Beyond.Value.Should().BeApproximately(1 + (0.31 / 3), 1e-12);
        test.Within.Value.Should().BeApproximately(1 - (0.31 / 3), 1e-12);
    }

    [Fact]
    public void Evidence_OfATie_StaysAsItIs()
    {
        var test = New();
        test.Observe(125, [100]);

        test.Beyond.Value.Should().Be(1);
        test.Within.Value.Should().Be(1);
    }

    private static SignTest New() => new(ratio: 1.25, alpha: 0.05, beta: 0.05);
}
