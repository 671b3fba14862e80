using Fleet.Contracts.Registry.V1;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Rollouts.Plans;

/// <summary>Fills in a plan's defaults and says what is wrong with it; defaults and limits are those of rollouts.proto.</summary>
internal static class PlanRules
{
    private const int MaxSteps = 50;

    /// <summary>A copy of <paramref name="given"/> with its defaults filled in, and its faults in words. No faults: the plan may be run.</summary>
    public static (RolloutPlan Plan, IReadOnlyList<string> Faults) Complete(RolloutPlan given)
    {
        var plan = PlanDefaults.Apply(given);
        var faults = new PlanFaults();
        CheckKind(plan, faults);
        CheckSteps(plan, faults);
        CheckReadiness(plan.Readiness, faults);
        CheckGuards(plan.Guards, faults);
        CheckTests(plan, faults);
        return (plan, faults.Found);
    }

    private static void CheckKind(RolloutPlan plan, PlanFaults faults)
    {
        faults.Require(System.Enum.IsDefined(plan.Kind), "kind", (int)plan.Kind, "give must-be-identical or may-differ");
        faults.Require(System.Enum.IsDefined(plan.Inconclusive), "inconclusive", (int)plan.Inconclusive, "give pause, promote or roll-back");
        bool compares = plan.Steps.Any(step => step.ShadowPercent > 0);
        faults.Require(plan.Kind != ChangeKind.MustBeIdentical || compares,
            "kind", "must-be-identical", "give a step a shadow_percent above 0: no pictures would be compared");
    }

    private static void CheckSteps(RolloutPlan plan, PlanFaults faults)
    {
        faults.Within("the number of steps", plan.Steps.Count, 1, MaxSteps);
        for (int i = 0; i < plan.Steps.Count; i++)
        {
            string name = $"steps[{i}]";
            CheckStep(name, plan.Steps[i], faults);
            if (i > 0)
            {
                double before = plan.Steps[i - 1].Percent;
                faults.Require(!(plan.Steps[i].Percent <= before), $"{name}.percent", plan.Steps[i].Percent,
                    FormattableString.Invariant($"give more than the {before} of the step before"));
            }
        }
    }

    private static void CheckStep(string name, RolloutStep step, PlanFaults faults)
    {
        faults.Within($"{name}.percent", step.Percent, 0, 100);
        faults.Within($"{name}.shadow_percent", step.ShadowPercent, 0, 100);
        faults.Require(step.Percent != 0 || step.ShadowPercent != 0, $"{name}.percent", step.Percent,
            "give a percent or a shadow_percent above 0: the canary would get no requests");
        faults.Require(step.MinRequests >= 0, $"{name}.min_requests", step.MinRequests, "give 0 or more");
        faults.Require(step.MinPairs >= 0, $"{name}.min_pairs", step.MinPairs, "give 0 or more");
        faults.Require(step.MinPairs <= 0 || step.ShadowPercent != 0, $"{name}.min_pairs", step.MinPairs,
            "give the step a shadow_percent above 0, or no min_pairs: no pairs would be made");
        bool minimum = faults.Time($"{name}.min_time", step.MinTime, TimeSpan.Zero);
        bool maximum = faults.Time($"{name}.max_time", step.MaxTime, TimeSpan.FromTicks(1));
        faults.Require(!minimum || !maximum || step.MinTime.ToTimeSpan() <= step.MaxTime.ToTimeSpan(), $"{name}.max_time", step.MaxTime,
            $"give at least the min_time, {PlanFaults.Show(step.MinTime)}");
    }

    private static void CheckReadiness(Readiness readiness, PlanFaults faults)
    {
        faults.Above("readiness.percent", readiness.Percent, 0, 100);
        faults.Within("readiness.min_replicas", readiness.MinReplicas, 1, 10_000);
        faults.Time("readiness.timeout", readiness.Timeout, TimeSpan.FromTicks(1));
    }

    private static void CheckGuards(Guards guards, PlanFaults faults)
    {
        faults.Within("guards.max_failures", guards.MaxFailures, 0, 10_000);
        faults.Within("guards.max_blank_pictures", guards.MaxBlankPictures, 0, 10_000);
        faults.Within("guards.window", guards.Window, 1, 10_000);
    }

    private static void CheckTests(RolloutPlan plan, PlanFaults faults)
    {
        var tests = plan.Tests;
        faults.Above("tests.alpha", tests.Alpha, 0, 0.5);
        faults.Above("tests.beta", tests.Beta, 0, 0.5);
        faults.Above("tests.max_error_rise", tests.MaxErrorRise, 0, 0.9);
        faults.Above("tests.max_flag_rise", tests.MaxFlagRise, 0, 0.9);
        faults.Within("tests.max_latency_ratio", tests.MaxLatencyRatio, 1, 1000);
        CheckDistance("tests.max_picture_distance", tests.MaxPictureDistance, 1, plan.Kind, faults);
        CheckDistance("tests.max_latent_distance", tests.MaxLatentDistance, 100, plan.Kind, faults);
        CheckDistance("tests.max_clip_distance", tests.MaxClipDistance, 1, plan.Kind, faults);
        foreach (var (name, least) in tests.MinMetrics)
        {
            faults.Require(name.Length > 0, "a name in tests.min_metrics", name, "give the name of a metric");
            faults.Require(double.IsFinite(least), $"tests.min_metrics['{name}']", least, "give a finite number");
        }
    }

    // Pictures that must be identical may have the tolerance 0; a mean that may be anything above 0 cannot be shown to be 0.
    private static void CheckDistance(string field, double value, double most, ChangeKind kind, PlanFaults faults)
    {
        if (kind == ChangeKind.MustBeIdentical)
        {
            faults.Within(field, value, 0, most);
        }
        else
        {
            faults.Above(field, value, 0, most);
        }
    }
}
