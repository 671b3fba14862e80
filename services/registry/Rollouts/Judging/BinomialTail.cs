namespace Fleet.Registry.Rollouts.Judging;

internal static class BinomialTail
{
    /// <summary>The least q for which more than q successes in <paramref name="trials"/> have a chance below <paramref name="level"/>.</summary>
    public static int Quantile(int trials, double probability, double level)
    {
        if (probability >= 1)
        {
            return trials;
        }

        double mass = Math.Pow(1 - probability, trials); // of q = 0
        double beyond = 1 - mass;
        int q = 0;
        while (beyond >= level && q < trials)
        {
            q++;
            mass *= (trials - q + 1) * probability / (q * (1 - probability));
            beyond -= mass;
        }

        return q;
    }
}
