using System.Globalization;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>
/// Judges a canary by what gateways report. The same observations in the same order give the same opinion: it has no clock, no
/// database and no randomness, so a restart replays what was stored. Its memory does not grow with the number of observations.
/// </summary>
internal sealed class Judge
{
    private readonly FaultGuard guard;
    private readonly RiseTest errors;
    private readonly RiseTest flags;
    private readonly LatencyTests latencies;
    private readonly PictureTests pictures;
    private readonly ISequentialTest[] tests;
    private readonly ArmCounts stable = new();
    private readonly ArmCounts canary = new();
    private JudgeOpinion? opinion;
    private int standing;

    /// <summary>For a plan without faults whose defaults are filled in.</summary>
    public Judge(RolloutPlan completedPlan)
    {
        var limits = completedPlan.Tests;
        guard = new FaultGuard(completedPlan.Guards);
        errors = new RiseTest("error-rate", limits.MaxErrorRise, AlphaShares.Errors * limits.Alpha, limits.Beta);
        flags = new RiseTest("flag-rate", limits.MaxFlagRise, AlphaShares.Flags * limits.Alpha, limits.Beta);
        latencies = new LatencyTests(limits);
        pictures = new PictureTests(completedPlan);
        tests = [errors, flags, .. latencies.All, .. pictures.All];
    }

    public ArmCounts Stable => stable.Clone();

    public ArmCounts Canary => canary.Clone();

    /// <summary>Pairs of pictures seen.</summary>
    public int Pairs { get; private set; }

    /// <summary>Names of the tests that still have to decide before the opinion can be good.</summary>
    public IReadOnlyList<string> Undecided =>
        [.. tests.Where(Applies).Where(test => test.Outcome == TestOutcome.Undecided).Select(test => test.Name)];

    public void Observe(RequestOutcome outcome)
    {
        if (outcome.Arm == Arm.Unspecified)
        {
            throw new ArgumentException($"request {outcome.RequestId} names no arm", nameof(outcome));
        }

        Count(outcome.Arm == Arm.Stable ? stable : canary, outcome);
        guard.Observe(outcome);
        errors.Observe(outcome.Arm, outcome.Fault.IsFailure() || outcome.Fault.IsBlank());
        if (!outcome.Fault.IsFailure())
        {
            flags.Observe(outcome.Arm, outcome.Flagged);
            latencies.Observe(outcome);
        }
    }

    public void Observe(Sample pair)
    {
        pictures.Observe(pair.Distance ?? throw new ArgumentException($"pair {pair.RequestId} has no distance", nameof(pair)));
        Pairs++;
    }

    /// <summary>Every test that has anything to say, or has to say something before the opinion can be good.</summary>
    public IReadOnlyList<TestReading> Readings() => [.. tests.Where(test => test.Samples > 0 || Applies(test)).Select(test => test.Read())];

    public JudgeOpinion Opinion()
    {
        int now = Standing();
        if (opinion is null || now != standing)
        {
            (opinion, standing) = (Form(), now);
        }

        return opinion;
    }

    private JudgeOpinion Form()
    {
        if (guard.Passed is { } passed)
        {
            return new JudgeOpinion(JudgeVerdict.Bad, passed);
        }

        if (Array.Find(tests, test => test.Outcome == TestOutcome.Bad) is { } bad)
        {
            return new JudgeOpinion(JudgeVerdict.Bad, Describe(bad.Read()));
        }

        var undecided = Undecided;
        return undecided.Count > 0
            ? new JudgeOpinion(JudgeVerdict.Continue, $"not decided yet: {string.Join(", ", undecided)}")
            : new JudgeOpinion(JudgeVerdict.Good, $"within the limits: {string.Join(", ", tests.Where(Applies).Select(test => test.Name))}");
    }

    // What the opinion depends on, in digits: it is asked for far more often than this changes.
    private int Standing()
    {
        int digits = guard.Passed is null ? 0 : 1;
        foreach (var test in tests)
        {
            digits = (digits * 4) + (Applies(test) ? (int)test.Outcome : 0);
        }

        return digits;
    }

    // A test without data does not hold the canary back, except where data must come: errors always, pictures when the plan compares
    // some. Flags that nobody ever raised are no data: most likely there is no safety checker.
    private bool Applies(ISequentialTest test) =>
        test == errors || (test == flags ? flags.Seen : test.Samples > 0 || (test == pictures.Required));

    private static string Describe(TestReading reading) => string.Create(CultureInfo.InvariantCulture,
        $"{reading.Name} is {reading.Estimate:0.####}, at least {reading.Lower:0.####}, and the limit is {reading.Limit:0.####}");

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
