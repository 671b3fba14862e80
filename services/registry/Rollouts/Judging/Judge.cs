using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Judges a canary by what gateways report. The same observations in the same order give the same opinion: it has no clock, no
/// database and no randomness, so a restart replays what was stored. Its memory does not grow with the number of observations.
/// </summary>
internal sealed class Judge(RolloutPlan completedPlan)
{
    private readonly FaultGuard guard = new(completedPlan.Guards);
    private readonly ArmCounts stable = new();
    private readonly ArmCounts canary = new();

    public ArmCounts Stable => stable.Clone();

    public ArmCounts Canary => canary.Clone();

    /// <summary>Pairs of pictures seen.</summary>
    public int Pairs { get; private set; }

    /// <summary>Names of the tests that still have to decide before the opinion can be good.</summary>
    public IReadOnlyList<string> Undecided => [];

    public void Observe(RequestOutcome outcome)
    {
        if (outcome.Arm == Arm.Unspecified)
        {
            throw new ArgumentException($"request {outcome.RequestId} names no arm", nameof(outcome));
        }

        Count(outcome.Arm == Arm.Stable ? stable : canary, outcome);
        guard.Observe(outcome);
    }

    public void Observe(Sample pair)
    {
        Pairs++;
    }

    public IReadOnlyList<TestReading> Readings() => [];

    public JudgeOpinion Opinion() =>
        guard.Passed is { } passed ? new JudgeOpinion(JudgeVerdict.Bad, passed)
        : new JudgeOpinion(JudgeVerdict.Continue, "the tests have not decided");

    private static void Count(ArmCounts counts, RequestOutcome outcome)
    {
        counts.Requests++;
        counts.Failures += outcome.Fault.IsFailure() ? 1 : 0;
        counts.NotFinite += outcome.Fault == Fault.NotFinite ? 1 : 0;
        counts.Blank += outcome.Fault.IsBlank() ? 1 : 0;
        counts.Flagged += outcome.Flagged ? 1 : 0;
        counts.Rescued += outcome.Rescued ? 1 : 0;
    }
}
