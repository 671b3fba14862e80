using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts;

/// <summary>A rollout as the database has it: a snapshot, replaced as a whole.</summary>
internal sealed record RolloutRecord
{
    public required long Number { get; init; }

    public required string Id { get; init; }

    public required string Model { get; init; }

    public required Digest Stable { get; init; }

    public required Digest Canary { get; init; }

    /// <summary>Whether the alias `stable` pointed at the stable version at the start; else there was none.</summary>
    public required bool HadAlias { get; init; }

    /// <summary>With its defaults filled in.</summary>
    public required RolloutPlan Plan { get; init; }

    public required string Actor { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required RolloutProgress Progress { get; init; }

    public required DateTimeOffset? StepBeganAt { get; init; }

    /// <summary>When the canary first answered a request.</summary>
    public required DateTimeOffset? FirstCanaryAt { get; init; }

    public required DateTimeOffset? EndedAt { get; init; }

    public required string Reason { get; init; }

    public required long Revision { get; init; }

    public RolloutState State => Progress.State;

    public bool Running => RolloutRules.IsRunning(State);

    /// <summary>Percent of requests that the canary answers, and that run on both versions, now.</summary>
    public (double Percent, double Shadow) Traffic => RolloutRules.Traffic(Progress, Plan);
}

/// <summary>How far a rollout is.</summary>
/// <param name="State">Its state.</param>
/// <param name="Step">Index of the step; -1 before the first.</param>
/// <param name="Elapsed">How long it has been in this state or step.</param>
/// <param name="RequestsBefore">Canary requests that had been seen when the step began.</param>
/// <param name="PairsBefore">Pairs that had been seen when the step began.</param>
internal sealed record RolloutProgress(RolloutState State, int Step, TimeSpan Elapsed, long RequestsBefore, long PairsBefore);
