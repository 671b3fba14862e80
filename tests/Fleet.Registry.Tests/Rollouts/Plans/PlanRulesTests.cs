using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Plans;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Tests.Rollouts.Plans;

public sealed class PlanRulesTests
{
    [Fact]
    public void Complete_OfOneStep_FillsInTheDefaultsOfTheContract()
    {
        var (plan, faults) = PlanRules.Complete(new RolloutPlan { Steps = { new RolloutStep { Percent = 5 } } });

        faults.Should().BeEmpty();
        plan.Kind.Should().Be(ChangeKind.MayDiffer);
        plan.Inconclusive.Should().Be(Inconclusive.Pause);
        plan.Steps[0].MaxTime.ToTimeSpan().Should().Be(TimeSpan.FromHours(24));
        plan.Readiness.Should().Be(new Readiness { Percent = 100, MinReplicas = 1, Timeout = TimeSpan.FromMinutes(30).ToDuration() });
        plan.Guards.Should().Be(new Guards { MaxFailures = 1, MaxBlankPictures = 1, Window = 50 });
        plan.Tests.Should().Be(new TestLimits
        {
            Alpha = 0.05,
            Beta = 0.01,
            MaxErrorRise = 0.005,
            MaxLatencyRatio = 1.25,
            MaxPictureDistance = 0.5,
            MaxLatentDistance = 1,
            MaxClipDistance = 0.2,
            MaxFlagRise = 0.01,
        });
    }

    [Fact]
    public void Complete_WherePicturesMustBeIdentical_HasNarrowTolerances()
    {
        var tests = PlanRules.Complete(new RolloutPlan { Kind = ChangeKind.MustBeIdentical }).Plan.Tests;

        new[] { tests.MaxPictureDistance, tests.MaxLatentDistance, tests.MaxClipDistance }.Should().OnlyContain(distance => distance == 0.001);
    }

    [Fact]
    public void Complete_OfAPlan_LeavesTheGivenOneAndCompletesItOnce()
    {
        var given = new RolloutPlan { Steps = { new RolloutStep { Percent = 5 } } };
        var plan = PlanRules.Complete(given).Plan;

        given.Tests.Should().BeNull();
        PlanRules.Complete(plan).Plan.Should().Be(plan);
    }

    public static TheoryData<string, Action<RolloutPlan>> Faults => new()
    {
        { "the number of steps is 0", plan => plan.Steps.Clear() },
        { "the number of steps is 51", plan => plan.Steps.Add(Enumerable.Range(0, 50).Select(i => new RolloutStep { Percent = 6 + i })) },
        { "steps[0].percent is 100.5", plan => plan.Steps[0].Percent = 100.5 },
        { "steps[0].percent is NaN", plan => plan.Steps[0].Percent = double.NaN },
        { "steps[0].percent is 0", plan => plan.Steps[0].Percent = 0 },
        { "steps[0].shadow_percent is -1", plan => plan.Steps[0].ShadowPercent = -1 },
        { "steps[1].percent is 5", plan => plan.Steps.Add(new RolloutStep { Percent = 5 }) },
        { "steps[0].min_requests is -1", plan => plan.Steps[0].MinRequests = -1 },
        { "steps[0].min_pairs is 10", plan => plan.Steps[0].MinPairs = 10 },
        { "steps[0].min_time is -1s", plan => plan.Steps[0].MinTime = new Duration { Seconds = -1 } },
        { "steps[0].max_time is 0s", plan => plan.Steps[0].MaxTime = new Duration() },
        { "steps[0].max_time is 60s", plan => (plan.Steps[0].MinTime, plan.Steps[0].MaxTime) = (new Duration { Seconds = 61 }, new Duration { Seconds = 60 }) },
        { "steps[0].max_time is", plan => plan.Steps[0].MaxTime = new Duration { Seconds = long.MaxValue } },
        { "kind is 'must-be-identical'", plan => plan.Kind = ChangeKind.MustBeIdentical },
        { "kind is 9", plan => plan.Kind = (ChangeKind)9 },
        { "inconclusive is 9", plan => plan.Inconclusive = (Inconclusive)9 },
        { "readiness.percent is 0", plan => plan.Readiness = new Readiness { Percent = 0 } },
        { "readiness.min_replicas is 0", plan => plan.Readiness = new Readiness { MinReplicas = 0 } },
        { "readiness.timeout is 0s", plan => plan.Readiness = new Readiness { Timeout = new Duration() } },
        { "guards.max_failures is -1", plan => plan.Guards = new Guards { MaxFailures = -1 } },
        { "guards.window is 0", plan => plan.Guards = new Guards { Window = 0 } },
        { "tests.alpha is 0", plan => plan.Tests.Alpha = 0 },
        { "tests.beta is 0.6", plan => plan.Tests.Beta = 0.6 },
        { "tests.max_error_rise is 0", plan => plan.Tests.MaxErrorRise = 0 },
        { "tests.max_latency_ratio is 0.9", plan => plan.Tests.MaxLatencyRatio = 0.9 },
        { "tests.max_picture_distance is 0", plan => plan.Tests.MaxPictureDistance = 0 },
        { "tests.max_latent_distance is Infinity", plan => plan.Tests.MaxLatentDistance = double.PositiveInfinity },
        { "tests.max_clip_distance is 1.5", plan => plan.Tests.MaxClipDistance = 1.5 },
        { "tests.max_flag_rise is 1", plan => plan.Tests.MaxFlagRise = 1 },
        { "tests.min_metrics['fid'] is NaN", plan => plan.Tests.MinMetrics["fid"] = double.NaN },
        { "a name in tests.min_metrics is empty", plan => plan.Tests.MinMetrics[""] = 1 },
    };

    [Theory]
    [MemberData(nameof(Faults), DisableDiscoveryEnumeration = true)]
    public void Complete_OfAFault_NamesFieldValueAndRemedy(string expected, Action<RolloutPlan> change)
    {
        var plan = new RolloutPlan { Steps = { new RolloutStep { Percent = 5 } }, Tests = new TestLimits() };
        change(plan);

        PlanRules.Complete(plan).Faults.Should().ContainSingle().Which.Should().StartWith(expected).And.Contain("; give");
    }
}
