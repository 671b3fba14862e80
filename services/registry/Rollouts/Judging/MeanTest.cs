using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Whether the mean of a quantity from 0 to <paramref name="range"/> is above a limit, by betting (Waudby-Smith and Ramdas,
/// arXiv:2010.09686): each bet's wealth is multiplied by 1 + stake (x - limit). What is beyond the range counts as the range.
/// </summary>
internal sealed class MeanTest(string name, double limit, double range, double alpha, double beta) : ISequentialTest
{
    private const int Bets = 8; // each half of the one before

    // The most of its wealth that a bet may lose by one observation.
    private const double MaxRisk = 0.9;
    private const double Tiny = 1e-3;

    private readonly double center = limit / range;
    private readonly EValuePair evidence = new(Bets, Bets, alpha, beta);
    private double sum;

    public string Name => name;

    public long Samples { get; private set; }

    public TestOutcome Outcome => evidence.Outcome;

    /// <summary>One observation; not a number counts as the range.</summary>
    public void Observe(double value)
    {
        double x = value < range ? Math.Max(value, 0) / range : 1;
        double above = MaxRisk / center;
        double below = MaxRisk / Math.Max(1 - center, Tiny);
        for (int bet = 0; bet < Bets; bet++, above /= 2, below /= 2)
        {
            evidence.Beyond.Bet(bet, Math.Log(1 + (above * (x - center))), above);
            evidence.Within.Bet(bet, Math.Log(1 - (below * (x - center))), below);
        }

        evidence.Beyond.Settle();
        evidence.Within.Settle();
        sum += x;
        Samples++;
    }

    public TestReading Read()
    {
        double estimate = Samples > 0 ? range * sum / Samples : 0;
        return evidence.Read(name, estimate, limit, unit: range, least: 0, most: range, Samples);
    }
}
