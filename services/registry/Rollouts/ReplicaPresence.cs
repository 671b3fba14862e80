using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts;

/// <summary>
/// Which replicas of the stages are live: those heard of within <paramref name="liveFor"/>, by this process' stopwatch. One that is met for the first
/// time counts from then on, so that who takes over the lease does not take silent replicas for dead ones.
/// </summary>
internal sealed class ReplicaPresence(TimeProvider time, TimeSpan liveFor)
{
    private readonly Dictionary<(string Rollout, string Stage, string Replica), (long SeenAt, long Noticed)> noticed = [];

    /// <summary>Takes in what the database says, and tells the live from the others.</summary>
    public Func<ReplicaReadiness, bool> Notice(string rollout, IReadOnlyList<ReplicaReadiness> replicas)
    {
        foreach (var replica in replicas)
        {
            var key = (rollout, replica.Stage, replica.Replica);
            long seenAt = replica.SeenAt.ToDateTimeOffset().ToUnixTimeMilliseconds();
            if (!noticed.TryGetValue(key, out var last) || last.SeenAt != seenAt)
            {
                noticed[key] = (seenAt, time.GetTimestamp());
            }
        }

        return replica => time.GetElapsedTime(noticed[(rollout, replica.Stage, replica.Replica)].Noticed) < liveFor;
    }

    public void Forget() => noticed.Clear();
}
