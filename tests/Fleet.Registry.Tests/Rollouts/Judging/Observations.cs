using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;
using Fleet.Registry.Rollouts.Plans;

namespace Fleet.Registry.Tests.Rollouts.Judging;

internal static class Observations
{
    /// <summary>The completed plan with one step, after <paramref name="change"/>.</summary>
    public static RolloutPlan Plan(Action<RolloutPlan>? change = null)
    {
        var plan = new RolloutPlan { Steps = { new RolloutStep { Percent = 5 } }, Guards = new Guards(), Tests = new TestLimits() };
        change?.Invoke(plan);
        var (completed, faults) = PlanRules.Complete(plan);
        faults.Should().BeEmpty();
        return completed;
    }

    public static RequestOutcome Of(Arm arm, Fault fault = Fault.None, string request = "") => new() { Arm = arm, Fault = fault, RequestId = request };

    public static Sample Pair(double ssim) => new() { Distance = new PictureDistance { Ssim = ssim } };

    /// <summary>Requests that go to the canary with a chance of 20 % and fail with the chances given.</summary>
    public static IEnumerable<RequestOutcome> Stream(int requests, double stableErrors, double canaryErrors, int seed = 1)
    {
        var random = new Random(seed);
        for (int i = 0; i < requests; i++)
        {
            var arm = random.NextDouble() < 0.2 ? Arm.Canary : Arm.Stable;
            bool failed = random.NextDouble() < (arm == Arm.Canary ? canaryErrors : stableErrors);
            yield return Of(arm, failed ? Fault.Error : Fault.None, $"{i}");
        }
    }

    public static Judge Shown(this Judge judge, IEnumerable<RequestOutcome> outcomes)
    {
        foreach (var outcome in outcomes)
        {
            judge.Observe(outcome);
        }

        return judge;
    }

    public static TestReading Reading(this Judge judge, string name) => judge.Readings().Single(reading => reading.Name == name);
}
