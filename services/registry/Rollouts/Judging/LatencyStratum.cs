namespace Fleet.Registry.Rollouts.Judging;

/// <summary>The requests that one stage may compare: equal in what its time depends on.</summary>
internal readonly record struct LatencyStratum(int Width, int Height, int Steps, int Count);

/// <summary>Latencies of a stratum that wait to be compared: stable's since the last canary request, or canary requests without any.</summary>
internal sealed class LatencyQueue
{
    // More of stable's than this add next to nothing to a comparison with one canary request.
    private const int MostStable = 16;
    private const int MostCanary = 16;

    private readonly Queue<double> stable = [];
    private readonly Queue<double> canary = [];

    /// <summary>True when a comparison came about, of one canary latency with stable's, none of which is used again.</summary>
    public bool TryAdd(bool ofCanary, double latency, out double canaryLatency, out double[] stableLatencies)
    {
        var (own, ownMost) = ofCanary ? (canary, MostCanary) : (stable, MostStable);
        if (own.Count == ownMost)
        {
            _ = own.Dequeue();
        }

        own.Enqueue(latency);
        bool both = canary.Count > 0 && stable.Count > 0;
        canaryLatency = both ? canary.Dequeue() : 0;
        stableLatencies = both ? [.. stable] : [];
        if (both)
        {
            stable.Clear();
        }

        return both;
    }
}
