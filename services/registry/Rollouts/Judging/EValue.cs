namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Evidence against one hypothesis, "the quantity is at most its limit" (or at least): the mean of the wealths of several bets against
/// it, each of which started with 1. A step multiplies a bet's wealth by a factor whose mean is at most exp(stake x (truth - limit)).
/// If the hypothesis is true the wealth ever reaches 1/level with a chance of at most level (Ville 1939), however often it is looked at.
/// </summary>
internal sealed class EValue(int bets, double level)
{
    // Beyond this an e-value says nothing more, and sums and messages stay finite.
    private const double MaxLog = 600;

    private readonly double needed = -Math.Log(level);
    private readonly double[] logWealth = new double[bets];
    private readonly double[] staked = new double[bets];

    private double peak;

    /// <summary>The mean wealth now.</summary>
    public double Value => Math.Exp(LogMean(0));

    /// <summary>Whether the hypothesis was rejected, now or earlier.</summary>
    public bool Rejected => peak >= needed;

    /// <summary>One step of one bet. The sign of a stake is the side on which the hypothesis is false.</summary>
    public void Bet(int bet, double logFactor, double stake)
    {
        logWealth[bet] = Math.Min(logWealth[bet] + logFactor, MaxLog);
        staked[bet] += Math.Abs(stake);
    }

    /// <summary>Ends a step, after every bet.</summary>
    public void Settle()
    {
        if (!Rejected && Most(0) > peak)
        {
            peak = Math.Max(peak, LogMean(0));
        }
    }

    /// <summary>
    /// How far beyond the limit the hypothesis could be moved and still be rejected: wealth x exp(-stake x distance) is evidence
    /// against the moved one. Negative when it would have to be moved back; without bets there is no bound.
    /// </summary>
    public double Reach()
    {
        double least = MostReach(needed + Math.Log(bets));
        double most = MostReach(needed);
        for (int i = 0; i < 60 && double.IsFinite(least); i++)
        {
            double middle = (least + most) / 2;
            (least, most) = LogMean(middle) >= needed ? (middle, most) : (least, middle);
        }

        return least;
    }

    private double MostReach(double log)
    {
        double most = double.NegativeInfinity;
        for (int bet = 0; bet < bets; bet++)
        {
            most = staked[bet] > 0 ? Math.Max(most, (logWealth[bet] - log) / staked[bet]) : most;
        }

        return most;
    }

    private double LogMean(double distance)
    {
        double most = Most(distance);
        double sum = 0;
        for (int bet = 0; bet < bets; bet++)
        {
            sum += Math.Exp(logWealth[bet] - (staked[bet] * distance) - most);
        }

        return most + Math.Log(sum / bets);
    }

    private double Most(double distance)
    {
        double most = double.NegativeInfinity;
        for (int bet = 0; bet < bets; bet++)
        {
            most = Math.Max(most, logWealth[bet] - (staked[bet] * distance));
        }

        return most;
    }
}
