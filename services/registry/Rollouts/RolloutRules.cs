using System.Globalization;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Rollouts;

/// <summary>What is known when a decision is due.</summary>
/// <param name="Warmup">How far the replicas are.</param>
/// <param name="Opinion">What the judge says.</param>
/// <param name="CanaryRequests">Requests that the canary has run so far.</param>
/// <param name="Pairs">Pairs so far.</param>
/// <param name="AliasNow">Where the alias `stable` points when that is not where it pointed at the start; else null.</param>
internal sealed record RolloutFacts(WarmupReading Warmup, JudgeOpinion Opinion, long CanaryRequests, long Pairs, string? AliasNow = null);

/// <summary>A change of a rollout. <paramref name="Decision"/> is unspecified where one that was made before is carried out.</summary>
internal sealed record Transition(RolloutState To, int Step, Decision Decision, string Reason);

/// <summary>The states of a rollout and what leads from one to the next. Nothing here reads a clock or a database.</summary>
internal static class RolloutRules
{
    public static bool IsRunning(RolloutState state) =>
        state is RolloutState.Warming or RolloutState.Stepping or RolloutState.Paused or RolloutState.Promoting or RolloutState.RollingBack;

    /// <summary>Percent of requests that the canary answers, and that run on both versions.</summary>
    public static (double Percent, double Shadow) Traffic(RolloutProgress at, RolloutPlan plan)
    {
        if (at.Step < 0 || at.State is not (RolloutState.Stepping or RolloutState.Paused or RolloutState.Promoting))
        {
            return (0, 0);
        }

        var step = plan.Steps[at.Step];
        return (step.Percent, at.State == RolloutState.Promoting ? 0 : step.ShadowPercent);
    }

    /// <summary>What is to happen now, or null for nothing.</summary>
    public static Transition? Next(RolloutProgress at, RolloutPlan plan, RolloutFacts facts, RolloutOptions options)
    {
        if (at.State is RolloutState.Warming or RolloutState.Stepping or RolloutState.Paused or RolloutState.Promoting)
        {
            if (facts.AliasNow is { } now)
            {
                return new Transition(RolloutState.Failed, at.Step, Decision.Fail, $"the alias 'stable' was moved by somebody else; it points at {now}");
            }

            if (Fault(facts) is { } fault)
            {
                return new Transition(RolloutState.RollingBack, at.Step, Decision.RollBack, fault);
            }
        }

        return at.State switch
        {
            RolloutState.Warming => Warming(at, plan, facts, options),
            RolloutState.Stepping => Stepping(at, plan, facts),
            RolloutState.Promoting => new Transition(RolloutState.Promoted, at.Step, Decision.Unspecified, "the alias 'stable' points at the canary"),
            RolloutState.RollingBack when at.Elapsed >= options.DrainFor =>
                new Transition(RolloutState.RolledBack, at.Step, Decision.Unspecified, "all traffic is with stable"),
            _ => null,
        };
    }

    /// <summary>What a person's order leads to.</summary>
    /// <exception cref="PreconditionException">The state does not allow it.</exception>
    public static Transition Override(RolloutProgress at, RolloutPlan plan, RolloutAction action, string reason) => (action, at.State) switch
    {
        (RolloutAction.Pause, RolloutState.Warming or RolloutState.Stepping) =>
            new Transition(RolloutState.Paused, at.Step, Decision.Pause, reason),
        (RolloutAction.Resume, RolloutState.Paused) =>
            new Transition(at.Step < 0 ? RolloutState.Warming : RolloutState.Stepping, at.Step, Decision.Resume, reason),
        (RolloutAction.Step, RolloutState.Warming or RolloutState.Stepping or RolloutState.Paused) =>
            OneStepOn(at, plan, reason),
        (RolloutAction.Promote, RolloutState.Stepping or RolloutState.Paused) when at.Step >= 0 =>
            new Transition(RolloutState.Promoting, at.Step, Decision.Promote, reason),
        (RolloutAction.RollBack, RolloutState.Warming or RolloutState.Stepping or RolloutState.Paused or RolloutState.Promoting) =>
            new Transition(RolloutState.RollingBack, at.Step, Decision.RollBack, reason),
        _ => throw new PreconditionException($"a rollout that {Describe(at)} {Remedy(action)}"),
    };

    private static string? Fault(RolloutFacts facts) =>
        facts.Warmup.Failure ?? (facts.Opinion.Verdict == JudgeVerdict.Bad ? facts.Opinion.Reason : null);

    private static Transition? Warming(RolloutProgress at, RolloutPlan plan, RolloutFacts facts, RolloutOptions options)
    {
        if (facts.Warmup.Ready && at.Elapsed >= options.SettleFor)
        {
            return OneStepOn(at, plan, facts.Warmup.Text);
        }

        return at.Elapsed >= plan.Readiness.Timeout.ToTimeSpan()
            ? new Transition(
                RolloutState.Failed, at.Step, Decision.Fail, $"the replicas were not ready within {Words(plan.Readiness.Timeout.ToTimeSpan())}: {facts.Warmup.Text}")
            : null;
    }

    private static Transition? Stepping(RolloutProgress at, RolloutPlan plan, RolloutFacts facts)
    {
        var step = plan.Steps[at.Step];
        long requests = facts.CanaryRequests - at.RequestsBefore;
        long pairs = facts.Pairs - at.PairsBefore;
        bool enough = requests >= step.MinRequests && pairs >= step.MinPairs;
        if (enough && at.Elapsed >= step.MinTime.ToTimeSpan() && facts.Opinion.Verdict == JudgeVerdict.Good)
        {
            return OneStepOn(at, plan, facts.Opinion.Reason);
        }

        var limit = step.MaxTime.ToTimeSpan();
        if (at.Elapsed < limit)
        {
            return null;
        }

        string undecided = string.Create(
            CultureInfo.InvariantCulture,
            $"undecided after {Words(limit)} of step {at.Step + 1}, with {requests} canary requests and {pairs} pairs: {facts.Opinion.Reason}");
        return plan.Inconclusive switch
        {
            Inconclusive.RollBack => new Transition(RolloutState.RollingBack, at.Step, Decision.RollBack, undecided),
            Inconclusive.Promote when enough => OneStepOn(at, plan, undecided),
            _ => new Transition(RolloutState.Paused, at.Step, Decision.Pause, undecided),
        };
    }

    private static Transition OneStepOn(RolloutProgress at, RolloutPlan plan, string reason) => at.Step + 1 < plan.Steps.Count
        ? new Transition(RolloutState.Stepping, at.Step + 1, Decision.BeginStep, reason)
        : new Transition(RolloutState.Promoting, at.Step, Decision.Promote, reason);

    private static string Describe(RolloutProgress at) => at.State switch
    {
        RolloutState.Warming => "is warming",
        RolloutState.Stepping => "is stepping",
        RolloutState.Paused => at.Step < 0 ? "was paused before its first step" : "is paused",
        RolloutState.Promoting => "is being promoted",
        RolloutState.RollingBack => "is being rolled back",
        _ => "has ended",
    };

    private static string Remedy(RolloutAction action) => action switch
    {
        RolloutAction.Pause => "cannot be paused; only one that is warming or stepping can",
        RolloutAction.Resume => "cannot be resumed; only one that is paused can",
        RolloutAction.Step => "cannot be moved one step on; only one that is warming, stepping or paused can",
        RolloutAction.Promote => "cannot be promoted; only one that has begun its first step can",
        _ => "cannot be rolled back; only one that was not decided yet can",
    };

    private static string Words(TimeSpan time) => time.TotalMinutes switch
    {
        < 2 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.#} s"),
        < 120 => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0.#} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} h"),
    };
}
