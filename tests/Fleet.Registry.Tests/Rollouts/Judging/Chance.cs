namespace Fleet.Registry.Tests.Rollouts.Judging;

internal static class Chance
{
    public static double Binomial(int trials, int hits, double rate)
    {
        double ways = 1;
        for (int i = 0; i < hits; i++)
        {
            ways = ways * (trials - i) / (i + 1);
        }

        return ways * Math.Pow(rate, hits) * Math.Pow(1 - rate, trials - hits);
    }

    /// <summary>All sequences of a length, as bits.</summary>
    public static IEnumerable<bool[]> Sequences(int length) =>
        Enumerable.Range(0, 1 << length).Select(bits => Enumerable.Range(0, length).Select(i => (bits >> i & 1) == 1).ToArray());
}
