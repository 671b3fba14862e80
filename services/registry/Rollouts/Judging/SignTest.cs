using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>Bets that the canary's latency is more, and less, than <paramref name="ratio"/> times stable's.</summary>
internal sealed class SignTest(double ratio, double alpha, double beta)
{
    private static readonly double[] Stakes = [0.8, 0.4, 0.2, 0.1, 0.05];

    private readonly EValuePair evidence = new(Stakes.Length, Stakes.Length, alpha, beta);

    public double Ratio => ratio;

    public TestOutcome Outcome => evidence.Outcome;

    public EValue Beyond => evidence.Beyond;

    public EValue Within => evidence.Within;

    public void Observe(double canary, ReadOnlySpan<double> stable)
    {
        double sum = 0;
        foreach (double latency in stable)
        {
            sum += canary.CompareTo(ratio * latency);
        }

        double sign = sum / stable.Length;
        for (int bet = 0; bet < Stakes.Length; bet++)
        {
            evidence.Beyond.Bet(bet, Math.Log(1 + (Stakes[bet] * sign)), Stakes[bet]);
            evidence.Within.Bet(bet, Math.Log(1 - (Stakes[bet] * sign)), Stakes[bet]);
        }

        evidence.Beyond.Settle();
        evidence.Within.Settle();
    }
}
