using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// The hard limits on the first canary requests. A fault is not the canary's when stable had the same one with the same request;
/// crashes, error statuses and blank pictures, which also have other causes, count as far as stable's own rate does not explain them.
/// </summary>
internal sealed class FaultGuard(Guards limits)
{
    // What is taken for granted of stable before anything was seen: half a fault in 20 requests. Two of two are then unexplained.
    private const double PriorHits = 0.5;
    private const double PriorMisses = 19.5;

    // Faults are explained by stable's rate unless so many have less than this chance with it.
    private const double Unexplained = 0.002;

    private readonly SharedRequests failures = new();
    private readonly SharedRequests blanks = new();
    private int canaryRequests;
    private long stableRequests;
    private long stableInterrupted;
    private long stableBlank;

    /// <summary>The limit that was passed, in words; null while none was.</summary>
    public string? Passed { get; private set; }

    public void Observe(RequestOutcome outcome)
    {
        if (canaryRequests >= limits.Window)
        {
            return;
        }

        if (outcome.Arm == Arm.Stable)
        {
            ObserveStable(outcome);
        }
        else
        {
            ObserveCanary(outcome);
        }
    }

    private void ObserveStable(RequestOutcome outcome)
    {
        stableRequests++;
        if (outcome.Fault.IsFailure())
        {
            stableInterrupted += outcome.Fault.IsOfWeights() ? 0 : 1;
            failures.OfStable(outcome.RequestId);
        }
        else if (outcome.Fault.IsBlank())
        {
            stableBlank++;
            blanks.OfStable(outcome.RequestId);
        }
    }

    private void ObserveCanary(RequestOutcome outcome)
    {
        canaryRequests++;
        if (outcome.Fault.IsFailure())
        {
            failures.OfCanary(outcome.RequestId, outcome.Fault);
            int ofWeights = failures.Count(Faults.IsOfWeights);
            int all = failures.Count(_ => true);
            Judge("failures", "max_failures", limits.MaxFailures, ofWeights, explained: 0, outcome);
            Judge("failures", "max_failures", limits.MaxFailures, all, Explained(stableInterrupted), outcome);
        }
        else if (outcome.Fault.IsBlank())
        {
            blanks.OfCanary(outcome.RequestId, outcome.Fault);
            Judge("blank pictures", "max_blank_pictures", limits.MaxBlankPictures, blanks.Count(_ => true), Explained(stableBlank), outcome);
        }
    }

    private int Explained(long stableFaults) =>
        PredictedHits.Quantile(canaryRequests, PriorHits + stableFaults, PriorMisses + stableRequests - stableFaults, Unexplained);

    // A limit of 0 takes no explanation.
    private void Judge(string what, string field, int limit, int count, int explained, RequestOutcome last)
    {
        if (Passed is null && count > (limit == 0 ? 0 : Math.Max(limit, explained)))
        {
            string detail = last.Detail.Length > 0 ? $" ({last.Detail})" : "";
            Passed = $"{count} {what} in the first {canaryRequests} canary requests, and {field} is {limit}; the last: {last.Fault}{detail}";
        }
    }
}
