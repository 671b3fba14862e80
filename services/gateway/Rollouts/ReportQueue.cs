using Fleet.Contracts.Registry.V1;

namespace Fleet.Gateway.Rollouts;

/// <summary>What waits to be reported, bounded: of too many, the oldest is dropped.</summary>
internal sealed class ReportQueue(int maxOutcomes, int maxPairs)
{
    private const int MostTogether = 1000; // traffic.proto
    private const int MostBytes = 2 << 20; // a message has 4 MiB

    private readonly Lock gate = new();
    private readonly Queue<RequestOutcome> outcomes = [];
    private readonly Queue<(string Rollout, Sample Pair)> pairs = [];

    /// <summary>Entries that were dropped so far.</summary>
    public long Dropped { get; private set; }

    public int Count
    {
        get
        {
            lock (gate)
            {
                return outcomes.Count + pairs.Count;
            }
        }
    }

    public void Add(RequestOutcome outcome)
    {
        lock (gate)
        {
            Add(outcomes, outcome, maxOutcomes);
        }
    }

    public void Add(string rollout, Sample pair)
    {
        lock (gate)
        {
            Add(pairs, (rollout, pair), maxPairs);
        }
    }

    /// <summary>Takes the oldest entries out, as many as go into one report; null when there are none.</summary>
    public ReportOutcomesRequest? Take()
    {
        var report = new ReportOutcomesRequest();
        int bytes = 0;
        lock (gate)
        {
            while (report.Outcomes.Count < MostTogether && bytes < MostBytes && outcomes.TryDequeue(out var outcome))
            {
                report.Outcomes.Add(outcome);
                bytes += outcome.CalculateSize();
            }

            while (report.Outcomes.Count + report.Pairs.Count < MostTogether && bytes < MostBytes && pairs.TryDequeue(out var next))
            {
                report.Pairs.Add(next.Pair);
                report.PairRollouts.Add(next.Rollout);
                bytes += next.Pair.CalculateSize();
            }
        }

        return report.Outcomes.Count + report.Pairs.Count > 0 ? report : null;
    }

    private void Add<T>(Queue<T> queue, T entry, int most)
    {
        queue.Enqueue(entry);
        if (queue.Count > most)
        {
            queue.Dequeue();
            Dropped++;
        }
    }
}
