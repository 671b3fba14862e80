using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Whether the canary's rate of something is above stable's by more than a limit: a safe test of two proportions in blocks
/// (Turner, Ly and Grünwald, arXiv:2106.02693; for a difference of rates Turner and Grünwald, arXiv:2203.09785).
/// </summary>
/// <remarks>
/// A block is the shortest run of requests with both arms and at least <see cref="BlockRequests"/> in all: it ends by who ran, not by
/// what came of it. docs/rollouts.md has the proof that its factor is an e-value.
/// </remarks>
internal sealed class RiseTest(string name, double limit, double alpha, double beta) : ISequentialTest
{
    private const int BlockRequests = 16;

    // What stable's rate is taken to be before anything was seen, and how many requests that is worth.
    private const double PriorRate = 0.01;
    private const double PriorRequests = 50;

    // What the bets bet on. Bad: the canary's rate, in multiples of the largest good one. Good: its rise, in limits.
    private static readonly double[] BadRates = [1.125, 1.25, 1.5, 2, 3, 5, 9, 17];
    private static readonly double[] GoodRises = [0.75, 0.5, 0, -1];

    private readonly EValuePair evidence = new(BadRates.Length, GoodRises.Length, alpha, beta);
    private Tally canary;
    private Tally stable;
    private Tally blockCanary;
    private Tally blockStable;

    public string Name => name;

    public long Samples => canary.Requests;

    public TestOutcome Outcome => evidence.Outcome;

    /// <summary>Whether either arm had one in a finished block.</summary>
    public bool Seen => canary.Hits + stable.Hits > 0;

    public void Observe(Arm arm, bool hit)
    {
        if (arm == Arm.Canary)
        {
            blockCanary = blockCanary.With(hit);
        }
        else
        {
            blockStable = blockStable.With(hit);
        }

        if (blockCanary.Requests > 0 && blockStable.Requests > 0 && blockCanary.Requests + blockStable.Requests >= BlockRequests)
        {
            CloseBlock();
        }
    }

    public TestReading Read()
    {
        double estimate = Samples > 0 ? canary.Rate - stable.Rate : 0;
        return evidence.Read(name, estimate, limit, unit: 1, least: -1, most: 1, Samples);
    }

    // The bets rest on earlier blocks, and of this one on how many requests each arm had.
    private void CloseBlock()
    {
        double rate = (stable.Hits + (PriorRate * PriorRequests)) / (stable.Requests + PriorRequests);
        for (int i = 0; i < BadRates.Length; i++)
        {
            Bet(evidence.Beyond, i, RateBet.Above(BadRates[i] * (rate + limit), rate, limit, blockCanary.Requests, blockStable.Requests));
        }

        for (int i = 0; i < GoodRises.Length; i++)
        {
            Bet(evidence.Within, i, RateBet.Below(rate + (GoodRises[i] * limit), rate, limit, blockCanary.Requests, blockStable.Requests));
        }

        evidence.Beyond.Settle();
        evidence.Within.Settle();
        (canary, stable) = (canary + blockCanary, stable + blockStable);
        (blockCanary, blockStable) = (default, default);
    }

    private void Bet(EValue side, int index, RateBet bet) =>
        side.Bet(index, bet.LogFactor(limit, blockCanary, blockStable), bet.Stake * blockCanary.Requests);
}
