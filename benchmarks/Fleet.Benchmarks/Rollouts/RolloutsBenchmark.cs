using System.Diagnostics;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;
using Fleet.Registry.Rollouts.Plans;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Benchmarks.Rollouts;

/// <summary>Thousands of seeded rollouts against the judge that the registry uses, and a peeked z-test on the same requests.</summary>
internal static class RolloutsBenchmark
{
    private static readonly Scenario[] Scenarios =
    [
        new("no change, 0.1 % errors") { LatencyRatio = 1 },
        new("no change, 2 % errors") { StableErrors = 0.02, CanaryErrors = 0.02, LatencyRatio = 1 },
        new("no change, 10 % errors") { StableErrors = 0.1, CanaryErrors = 0.1, Hours = 2 },
        new("no change, 2 % errors, first step 50 %") { StableErrors = 0.02, CanaryErrors = 0.02, FirstPercent = 50 },
        new("no change, 2 % errors, outages of both") { StableErrors = 0.02, CanaryErrors = 0.02, Outages = 0.05 },
        new("rise of half the limit: 2 to 2.25 %") { StableErrors = 0.02, CanaryErrors = 0.0225, Hours = 2 },
        new("rise of the limit: 2 to 2.5 %") { StableErrors = 0.02, CanaryErrors = 0.025, Hours = 1 },
        new("rise of 1.5 limits: 2 to 2.75 %") { StableErrors = 0.02, CanaryErrors = 0.0275, Hours = 1 },
        new("rise from 2 to 4 %") { StableErrors = 0.02, CanaryErrors = 0.04 },
        new("rise from 0.5 to 5 %") { StableErrors = 0.005, CanaryErrors = 0.05 },
        new("every canary request fails") { CanaryErrors = 1 },
        new("latency x1.25, the limit") { LatencyRatio = 1.25, Hours = 0.5 },
        new("latency x1.5") { LatencyRatio = 1.5 },
        new("latency x2") { LatencyRatio = 2 },
        new("picture distance 0.5, the limit") { Distance = 0.5, Hours = 0.5 },
        new("picture distance 0.6") { Distance = 0.6 },
    ];

    public static void Run(int rollouts, string only)
    {
        Console.WriteLine(RolloutsTable.Header);
        for (int i = 0; i < Scenarios.Length; i++)
        {
            if (Scenarios[i].Name.Contains(only, StringComparison.Ordinal))
            {
                long began = Stopwatch.GetTimestamp();
                var ends = Simulate(Scenarios[i], rollouts, (ulong)i << 32);
                Console.WriteLine(RolloutsTable.Row(Scenarios[i].Name, ends));
                Console.Error.WriteLine($"{Scenarios[i].Name}: {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s");
            }
        }
    }

    private static RolloutEnd[] Simulate(Scenario scenario, int rollouts, ulong firstSeed)
    {
        var plan = PlanOf(scenario);
        var ends = new RolloutEnd[rollouts];
        Parallel.For(0, rollouts, i => ends[i] = new SimulatedRollout(scenario, plan, firstSeed + (ulong)i).Run());
        return ends;
    }

    // Everything but the steps is the default.
    private static RolloutPlan PlanOf(Scenario scenario)
    {
        var given = new RolloutPlan();
        given.Steps.AddRange(new[] { scenario.FirstPercent, 25, 50 }.Distinct().Order().Where(percent => percent >= scenario.FirstPercent)
            .Select(percent => new RolloutStep
            {
                Percent = percent,
                ShadowPercent = 20,
                MinRequests = 200,
                MaxTime = TimeSpan.FromHours(scenario.Hours).ToDuration(),
            }));
        var (plan, faults) = PlanRules.Complete(given);
        return faults.Count == 0 ? plan : throw new InvalidOperationException(string.Join(" ", faults));
    }
}
