namespace Fleet.Registry.Rollouts.Judging;

/// <summary>What the judge thinks of the canary, and why in one sentence.</summary>
internal sealed record JudgeOpinion(JudgeVerdict Verdict, string Reason);

internal enum JudgeVerdict
{
    /// <summary>Neither is shown yet.</summary>
    Continue,

    /// <summary>A guard was passed or a test found the canary beyond its limit: roll back.</summary>
    Bad,

    /// <summary>Every test that applies found the canary within its limit.</summary>
    Good,
}
