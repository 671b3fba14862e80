using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Benchmarks.Rollouts;

/// <summary>How a simulated rollout ended: with Continue when a step had its maximum time and its tests had not decided.</summary>
internal readonly record struct RolloutEnd(JudgeVerdict Verdict, long CanaryRequests, long Harmed, double Hours, bool ZTest, bool ZTestWithLimit);

/// <summary>One rollout of a plan: requests arrive at random, and the judge is asked after every one of them.</summary>
internal sealed class SimulatedRollout(Scenario scenario, RolloutPlan plan, ulong seed)
{
    private const double SecondsBetweenRequests = 0.1;
    private const double Hour = 3600;
    private const double OutageErrors = 0.3;
    private const double Flagged = 0.005;

    // Times of 10, 20 and 30 steps, log-normal; both versions' rise and fall by the drift within an hour.
    private static readonly double[] Milliseconds = [400, 900, 1600];
    private const double Noise = 0.3;
    private const double Drift = 2;

    private readonly Dice dice = new(seed);
    private readonly Judge judge = new(plan);
    private readonly PeekedZTest zTest = new(0);
    private readonly PeekedZTest zTestWithLimit = new(plan.Tests.MaxErrorRise);
    private readonly RequestOutcome outcome = new() { Count = 1, Width = 512, Height = 512 };
    private readonly Sample pair = new() { Distance = new PictureDistance() };
    private long number;
    private long canaryRequests;
    private long harmed;
    private double now;

    public RolloutEnd Run()
    {
        foreach (var step in plan.Steps)
        {
            double until = now + step.MaxTime.Seconds;
            long enough = canaryRequests + step.MinRequests;
            var verdict = JudgeVerdict.Continue;
            while (verdict != JudgeVerdict.Good || canaryRequests < enough)
            {
                now += dice.Exponential(SecondsBetweenRequests);
                Request(step);
                verdict = judge.Opinion().Verdict;
                if (verdict == JudgeVerdict.Bad || now > until)
                {
                    return End(verdict == JudgeVerdict.Bad ? verdict : JudgeVerdict.Continue);
                }
            }
        }

        return End(JudgeVerdict.Good);
    }

    private RolloutEnd End(JudgeVerdict verdict) => new(verdict, canaryRequests, harmed, now / Hour, zTest.Aborted, zTestWithLimit.Aborted);

    private void Request(RolloutStep step)
    {
        number++;
        bool ofCanary = dice.Hits(step.Percent / 100);
        bool failed = Observe(ofCanary);
        harmed += ofCanary && failed ? 1 : 0;
        if (dice.Hits(step.ShadowPercent / 100) && !Observe(!ofCanary) && !failed)
        {
            pair.Distance.Ssim = 1 - (scenario.Distance * 2 * dice.Uniform());
            judge.Observe(pair);
        }
    }

    // True when it failed.
    private bool Observe(bool ofCanary)
    {
        bool outage = scenario.Outages > 0 && Math.Abs((now % Hour) - (Hour / 2)) < scenario.Outages * Hour / 2;
        double own = ofCanary ? scenario.CanaryErrors : scenario.StableErrors;
        bool failed = dice.Hits(outage ? OutageErrors : own);
        canaryRequests += ofCanary ? 1 : 0;
        outcome.Arm = ofCanary ? Arm.Canary : Arm.Stable;
        outcome.Fault = failed ? Fault.Error : Fault.None;
        outcome.RequestId = failed ? $"{number}" : "";
        outcome.Flagged = dice.Hits(Flagged);
        if (scenario.LatencyRatio > 0)
        {
            Time(ofCanary);
        }

        judge.Observe(outcome);
        zTest.Observe(ofCanary, failed);
        zTestWithLimit.Observe(ofCanary, failed);
        return failed;
    }

    private void Time(bool ofCanary)
    {
        int stratum = (int)(dice.Uniform() * Milliseconds.Length);
        double surroundings = Math.Exp((Math.Log(Drift) * Math.Sin(2 * Math.PI * now / Hour)) + (Noise * dice.Normal()));
        outcome.Steps = 10 * (stratum + 1);
        outcome.DenoiseMs = Milliseconds[stratum] * surroundings * (ofCanary ? scenario.LatencyRatio : 1);
    }
}
