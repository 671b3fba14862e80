namespace Fleet.Registry.Rollouts.Judging;

/// <summary>How many hits to expect of requests, judging by others: the beta-binomial distribution.</summary>
internal static class PredictedHits
{
    /// <summary>
    /// The least q for which more than q hits in <paramref name="requests"/> have a chance below <paramref name="level"/>, when the
    /// rate is known from <paramref name="hits"/> and <paramref name="misses"/> of others, both above 0.
    /// </summary>
    public static int Quantile(int requests, double hits, double misses, double level)
    {
        double log = 0; // of the chance of q
        for (int i = 0; i < requests; i++)
        {
            log += Math.Log((misses + i) / (hits + misses + i));
        }

        int q = 0;
        double more = 1 - Math.Exp(log);
        while (more >= level && q < requests)
        {
            log += Math.Log((requests - q) * (hits + q) / ((q + 1) * (misses + requests - q - 1)));
            more -= Math.Exp(log);
            q++;
        }

        return q;
    }
}
