using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Whether a distance is within a tolerance every time. One beyond is bad at once. Good is shown when the chance of so many in a row
/// within it would be at most beta if as many as <see cref="DifferingShare"/> of all were beyond.
/// </summary>
internal sealed class ToleranceTest(string name, double tolerance, double beta) : ISequentialTest
{
    private const double DifferingShare = 0.05;
    private const double MaxLog = 600;

    private double farthest;

    public string Name => name;

    public long Samples { get; private set; }

    public TestOutcome Outcome =>
        farthest > tolerance ? TestOutcome.Bad
        : LogEvidenceOfGood >= -Math.Log(beta) ? TestOutcome.Good
        : TestOutcome.Undecided;

    private double LogEvidenceOfGood => -Samples * Math.Log(1 - DifferingShare);

    /// <summary>One distance; not a number counts as the largest.</summary>
    public void Observe(double distance)
    {
        farthest = Math.Max(farthest, double.IsFinite(distance) ? distance : double.MaxValue);
        Samples++;
    }

    /// <summary>Of the largest distance: the farthest pair seen, and the tolerance once it holds for all but the differing share.</summary>
    public TestReading Read() => new()
    {
        Name = name,
        Outcome = Outcome,
        Estimate = farthest,
        Limit = tolerance,
        Lower = farthest,
        Upper = Outcome == TestOutcome.Good ? tolerance : Math.Max(farthest, 1),
        EvidenceBad = farthest > tolerance ? Math.Exp(MaxLog) : 0,
        EvidenceGood = farthest > tolerance ? 0 : Math.Exp(Math.Min(LogEvidenceOfGood, MaxLog)),
        Samples = Samples,
    };
}
