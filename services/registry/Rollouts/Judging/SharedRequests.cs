using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>The canary's faults of one sort, without those of requests that failed on stable in the same way, whichever was reported first.</summary>
internal sealed class SharedRequests
{
    // Stable faults that are remembered: the two runs of a request are reported close together.
    private const int Remembered = 1000;

    private readonly Dictionary<string, Fault> canary = [];
    private readonly HashSet<string> stable = [];
    private readonly Queue<string> stableInOrder = [];

    public int Count(Func<Fault, bool> which) => canary.Values.Count(which);

    public void OfCanary(string request, Fault fault)
    {
        if (!stable.Contains(request))
        {
            canary[request] = fault;
        }
    }

    public void OfStable(string request)
    {
        _ = canary.Remove(request);
        if (stable.Add(request))
        {
            stableInOrder.Enqueue(request);
        }

        if (stableInOrder.Count > Remembered)
        {
            _ = stable.Remove(stableInOrder.Dequeue());
        }
    }
}
