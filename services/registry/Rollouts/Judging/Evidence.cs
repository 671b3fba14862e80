namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Evidence against one hypothesis, "the quantity is at most its limit" (or at least): the mean of the wealths of several bets against
/// it, each of which started with 1. A step multiplies a bet's wealth by a factor whose mean is at most exp(stake x (truth - limit)).
/// If the hypothesis is true the wealth ever reaches 1/level with a chance of at most level (Ville 1939), however often it is looked at.
/// </summary>
internal sealed class Evidence(int bets)
{
    // Beyond this an e-value says nothing more, and sums and messages stay finite.
    private const double MaxLog = 600;

    private readonly double[] logWealth = new double[bets];
    private readonly double[] staked = new double[bets];

    /// <summary>The logarithm of the largest mean wealth so far.</summary>
    public double Peak { get; private set; }

    /// <summary>The e-value now.</summary>
    public double Value => Math.Exp(Math.Min(LogMean(0), MaxLog));

    public bool Reached(double level) => Peak >= -Math.Log(level);

    /// <summary>One step of one bet. The sign of a stake is the side on which the hypothesis is false.</summary>
    public void Bet(int bet, double logFactor, double stake)
    {
        logWealth[bet] = Math.Min(logWealth[bet] + logFactor, MaxLog);
        staked[bet] += Math.Abs(stake);
    }

    /// <summary>Ends a step, after every bet.</summary>
    public void Settle()
    {
        double most = logWealth.Max();
        if (most > Peak)
        {
            Peak = Math.Max(Peak, LogMean(0));
        }
    }

    /// <summary>
    /// How far beyond the limit the hypothesis could be moved and still be rejected at <paramref name="level"/>: wealth x exp(-stake x
    /// distance) is evidence against the moved one. Negative when it would have to be moved back; no bets, no bound.
    /// </summary>
    public double Reach(double level)
    {
        double needed = -Math.Log(level);
        double least = Enumerable.Range(0, bets).Max(bet => ReachOf(bet, needed + Math.Log(bets)));
        double most = Enumerable.Range(0, bets).Max(bet => ReachOf(bet, needed));
        for (int i = 0; i < 60 && double.IsFinite(least); i++)
        {
            double middle = (least + most) / 2;
            (least, most) = LogMean(middle) >= needed ? (middle, most) : (least, middle);
        }

        return least;
    }

    private double ReachOf(int bet, double needed) => staked[bet] > 0 ? (logWealth[bet] - needed) / staked[bet] : double.NegativeInfinity;

    private double LogMean(double distance)
    {
        double most = double.NegativeInfinity;
        for (int bet = 0; bet < bets; bet++)
        {
            most = Math.Max(most, logWealth[bet] - (staked[bet] * distance));
        }

        double sum = 0;
        for (int bet = 0; bet < bets; bet++)
        {
            sum += Math.Exp(logWealth[bet] - (staked[bet] * distance) - most);
        }

        return most + Math.Log(sum / bets);
    }
}
