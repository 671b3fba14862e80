using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Whether the canary takes more than a given multiple of stable's time, by bets on signs. Each canary request is compared with the
/// requests of stable in the same stratum since the one before: s is the share of them that it exceeds by more than the ratio, minus
/// the share that it does not. If a canary request is as likely as not to stay within ratio times the time of a stable one (for times of
/// the same shape: if the ratio of the medians is at most that), s has a mean of at most 0 and 1 + stake s is an e-value. Noise that
/// strikes both arms alike cancels, and no outlier counts for more than 1.
/// </summary>
internal sealed class LatencyTest(string name, double limit, double alpha, double beta) : ISequentialTest
{
    // Requests of further strata are left out: more of them than this would never meet.
    private const int MostStrata = 1000;

    // In limits: the limit itself, and the ratios that the confidence sequence consists of.
    private static readonly double[] Ratios = [0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4];
    private const int AtLimit = 4;

    private const double MostRatio = 1000;

    private readonly SignTest[] tests = [.. Ratios.Select(ratio => new SignTest(ratio * limit, alpha, beta))];
    private readonly Dictionary<LatencyStratum, LatencyQueue> strata = [];
    private double sumOfLogRatios;

    public string Name => name;

    /// <summary>Canary requests that were compared.</summary>
    public long Samples { get; private set; }

    public TestOutcome Outcome => tests[AtLimit].Outcome;

    public void Observe(Arm arm, LatencyStratum stratum, double latency)
    {
        if (!(latency > 0) || !double.IsFinite(latency))
        {
            return;
        }

        if (!strata.TryGetValue(stratum, out var queue))
        {
            if (strata.Count == MostStrata)
            {
                return;
            }

            strata[stratum] = queue = new LatencyQueue();
        }

        if (queue.TryAdd(arm == Arm.Canary, latency, out double canary, out double[] stable))
        {
            Compare(canary, stable);
        }
    }

    public TestReading Read() => new()
    {
        Name = name,
        Outcome = Outcome,
        Estimate = Samples > 0 ? Math.Exp(sumOfLogRatios / Samples) : 1,
        Limit = limit,
        Lower = tests.Where(test => test.Beyond.Rejected).Select(test => test.Ratio).DefaultIfEmpty(0).Max(),
        Upper = tests.Where(test => test.Within.Rejected).Select(test => test.Ratio).DefaultIfEmpty(MostRatio).Min(),
        EvidenceBad = tests[AtLimit].Beyond.Value,
        EvidenceGood = tests[AtLimit].Within.Value,
        Samples = Samples,
    };

    private void Compare(double canary, double[] stable)
    {
        foreach (var test in tests)
        {
            test.Observe(canary, stable);
        }

        sumOfLogRatios += Math.Clamp(Math.Log(canary) - stable.Average(Math.Log), -Math.Log(MostRatio), Math.Log(MostRatio));
        Samples++;
    }
}
