using Fleet.Contracts.Registry.V1;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Rollouts.Plans;

/// <summary>What rollouts.proto says of fields that are not set.</summary>
internal static class PlanDefaults
{
    private static readonly TimeSpan StepMaxTime = TimeSpan.FromHours(24);
    private static readonly TimeSpan ReadinessTimeout = TimeSpan.FromMinutes(30);

    public static RolloutPlan Apply(RolloutPlan given)
    {
        var plan = given.Clone();
        plan.Kind = plan.Kind == ChangeKind.Unspecified ? ChangeKind.MayDiffer : plan.Kind;
        plan.Inconclusive = plan.Inconclusive == Inconclusive.Unspecified ? Inconclusive.Pause : plan.Inconclusive;
        foreach (var step in plan.Steps)
        {
            step.MinTime ??= new Duration();
            step.MaxTime ??= StepMaxTime.ToDuration();
        }

        Apply(plan.Readiness ??= new Readiness());
        Apply(plan.Guards ??= new Guards());
        Apply(plan.Tests ??= new TestLimits(), plan.Kind == ChangeKind.MustBeIdentical);
        return plan;
    }

    private static void Apply(Readiness readiness)
    {
        readiness.Percent = readiness.HasPercent ? readiness.Percent : 100;
        readiness.MinReplicas = readiness.HasMinReplicas ? readiness.MinReplicas : 1;
        readiness.Timeout ??= ReadinessTimeout.ToDuration();
    }

    private static void Apply(Guards guards)
    {
        guards.MaxFailures = guards.HasMaxFailures ? guards.MaxFailures : 1;
        guards.MaxBlankPictures = guards.HasMaxBlankPictures ? guards.MaxBlankPictures : 1;
        guards.Window = guards.HasWindow ? guards.Window : 50;
    }

    private static void Apply(TestLimits tests, bool identical)
    {
        tests.Alpha = tests.HasAlpha ? tests.Alpha : 0.05;
        tests.Beta = tests.HasBeta ? tests.Beta : 0.01;
        tests.MaxErrorRise = tests.HasMaxErrorRise ? tests.MaxErrorRise : 0.005;
        tests.MaxLatencyRatio = tests.HasMaxLatencyRatio ? tests.MaxLatencyRatio : 1.25;
        tests.MaxPictureDistance = tests.HasMaxPictureDistance ? tests.MaxPictureDistance : identical ? 0.001 : 0.5;
        tests.MaxLatentDistance = tests.HasMaxLatentDistance ? tests.MaxLatentDistance : identical ? 0.001 : 1.0;
        tests.MaxClipDistance = tests.HasMaxClipDistance ? tests.MaxClipDistance : identical ? 0.001 : 0.2;
        tests.MaxFlagRise = tests.HasMaxFlagRise ? tests.MaxFlagRise : 0.01;
    }
}
