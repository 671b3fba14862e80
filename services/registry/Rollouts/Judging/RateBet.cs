namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// A bet on the difference of two rates in a block of c canary and s stable requests. Its wealth is multiplied by
/// 1 + a (x - p - limit) for each canary outcome x and by 1 - (a c / s) (y - p) for each of stable: at most
/// exp(a c (canary's mean rate - stable's - limit)) in expectation, whatever p is, because 1 + z is at most exp(z).
/// </summary>
/// <param name="Reference">p, near stable's rate.</param>
/// <param name="Stake">a, above 0 for a rise beyond the limit, below 0 for one within.</param>
internal readonly record struct RateBet(double Reference, double Stake)
{
    // The most of its wealth that a bet may lose by one outcome.
    private const double MaxRisk = 0.9;
    private const double Tiny = 1e-6;

    /// <summary>For an alternative in which the canary has the rate <paramref name="target"/>, above rate + limit.</summary>
    public static RateBet Above(double target, double rate, double limit, long c, long s)
    {
        var (p, a) = LikelihoodRatio(Math.Min(target, 1 - Tiny), rate, limit, c, s);
        double most = MaxRisk * Math.Min(1 / (p + limit), s / (c * (1 - p)));
        return new RateBet(p, Math.Clamp(a, 0, most));
    }

    /// <summary>For an alternative in which the canary has the rate <paramref name="target"/>, below rate + limit.</summary>
    public static RateBet Below(double target, double rate, double limit, long c, long s)
    {
        var (p, a) = LikelihoodRatio(Math.Max(target, Tiny), rate, limit, c, s);
        double most = MaxRisk * Math.Min(1 / (1 - p - limit), s / (c * p));
        return new RateBet(p, Math.Clamp(a, -most, 0));
    }

    /// <summary>The logarithm of the factor by which the block changes the wealth.</summary>
    public double LogFactor(double limit, Tally canary, Tally stable)
    {
        double b = Stake * canary.Requests / stable.Requests;
        return Log(canary, Stake, Reference + limit) + Log(stable, -b, Reference);
    }

    private static double Log(Tally tally, double stake, double reference)
    {
        double hits = tally.Hits > 0 ? tally.Hits * Math.Log(1 + (stake * (1 - reference))) : 0;
        return hits + ((tally.Requests - tally.Hits) * Math.Log(1 - (stake * reference)));
    }

    // p is the point of the boundary (p + limit, p) nearest to (target, rate) in divergence, c of one and s of the other, as if the
    // counts were Poisson: the root of c target / (p + limit) + s rate / p = c + s. a is the slope of the likelihood ratio there.
    private static (double Reference, double Stake) LikelihoodRatio(double target, double rate, double limit, long c, long s)
    {
        double n = c + s;
        double linear = (c * target) + (s * rate) - (n * limit);
        double root = (linear + Math.Sqrt((linear * linear) + (4 * n * s * rate * limit))) / (2 * n);
        double p = Math.Clamp(root, Tiny, 1 - limit - Tiny);
        return (p, (target - p - limit) / ((p + limit) * (1 - p - limit)));
    }
}
