using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>The evidence both ways: that the quantity is beyond its limit, judged at level alpha, and that it is within, at beta.</summary>
internal sealed class EValuePair(int betsBeyond, int betsWithin, double alpha, double beta)
{
    /// <summary>Against "at most the limit".</summary>
    public EValue Beyond { get; } = new(betsBeyond, alpha);

    /// <summary>Against "at least the limit".</summary>
    public EValue Within { get; } = new(betsWithin, beta);

    /// <summary>Once rejected a hypothesis stays so, and bad goes before good.</summary>
    public TestOutcome Outcome =>
        Beyond.Rejected ? TestOutcome.Bad
        : Within.Rejected ? TestOutcome.Good
        : TestOutcome.Undecided;

    /// <summary>A reading with the confidence sequence, in which a limit that was once excluded stays excluded.</summary>
    public TestReading Read(string name, double estimate, double limit, double unit, double least, double most, long samples)
    {
        double lower = limit + (unit * Beyond.Reach());
        double upper = limit - (unit * Within.Reach());
        return new TestReading
        {
            Name = name,
            Outcome = Outcome,
            Estimate = estimate,
            Limit = limit,
            Lower = Math.Clamp(Beyond.Rejected ? Math.Max(lower, limit) : lower, least, most),
            Upper = Math.Clamp(Within.Rejected ? Math.Min(upper, limit) : upper, least, most),
            EvidenceBad = Beyond.Value,
            EvidenceGood = Within.Value,
            Samples = samples,
        };
    }
}
