using System.Globalization;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts;

/// <summary>How far the replicas are with the canary.</summary>
/// <param name="Ready">Enough have it.</param>
/// <param name="Failure">A replica that could not load it, and why; else null.</param>
/// <param name="Text">The same in words.</param>
internal sealed record WarmupReading(bool Ready, string? Failure, string Text)
{
    public static readonly IReadOnlyList<string> Stages = ["encoder", "denoiser", "decoder"];

    /// <summary>Judges the replicas that are live, and any that failed, by the plan's readiness.</summary>
    public static WarmupReading Of(Readiness wanted, IReadOnlyList<ReplicaReadiness> replicas, Func<ReplicaReadiness, bool> isLive)
    {
        if (replicas.FirstOrDefault(replica => replica.State == ReplicaState.Failed) is { } failed)
        {
            return new WarmupReading(false, $"{failed.Stage} replica '{failed.Replica}' cannot load the canary: {failed.Detail}", "");
        }

        var live = replicas.Where(isLive).ToLookup(replica => replica.Stage, replica => replica.State == ReplicaState.Ready);
        return new WarmupReading(
            Stages.All(stage => IsEnough(wanted, live[stage].Count(ready => ready), live[stage].Count())),
            null,
            string.Join(", ", Stages.Select(stage => string.Create(
                CultureInfo.InvariantCulture, $"{live[stage].Count(ready => ready)} of {live[stage].Count()} {stage}s ready"))));
    }

    private static bool IsEnough(Readiness wanted, int ready, int live) =>
        ready >= wanted.MinReplicas && ready * 100.0 >= wanted.Percent * live;
}
