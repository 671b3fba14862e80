using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;

namespace Fleet.Registry.Tests.Rollouts;

/// <summary>Whatever happens in whatever order, some things are always so.</summary>
public sealed class RandomEventTests() : RolloutTest(TestDatabase.Sqlite)
{
    private const int Sequences = 200;
    private const int Events = 10;

    private readonly Random random = new(20261122);
    private long revision;

    [Fact]
    public async Task AnySequenceOfEvents_KeepsTheInvariants()
    {
        var ends = new List<RolloutState>();
        for (int i = 0; i < Sequences; i++)
        {
            revision = 0;
            var rollout = await BeginAsync(LenientPlan());
            for (int j = 0; j < Events; j++)
            {
                await HappenAsync(rollout);
                await CheckAsync(rollout);
            }

            ends.Add(await EndAsync(rollout));
        }

        (await Registry.Audit.VerifyLogAsync(new VerifyLogRequest(), cancellationToken: Cancellation)).Faults.Should().BeEmpty();
        ends.Should().Contain([RolloutState.Promoted, RolloutState.RolledBack]);
    }

    private Task HappenAsync(Rollout rollout) => random.Next(12) switch
    {
        0 or 1 or 2 => ReportReadyAsync(rollout),
        3 or 4 => PassAsync(seconds: 2.5),
        5 or 6 => ReportAsync([.. Enumerable.Range(0, 40).SelectMany(_ => new[] { Outcome(rollout, Arm.Stable), Outcome(rollout, Arm.Canary) })]),
        7 => ReportAsync(Outcome(rollout, Arm.Canary, Fault.NotFinite)),
        8 when random.Next(3) == 0 => ReportAsync(rollout, "decoder", "two", ReplicaState.Failed),
        9 when random.Next(20) == 0 => RestartAsync(),
        10 => PassAsync(seconds: 0.5),
        _ => OrderAsync(rollout, (RolloutAction)random.Next(1, 6)),
    };

    private async Task OrderAsync(Rollout rollout, RolloutAction action)
    {
        try
        {
            await ControlAsync(rollout, action);
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.FailedPrecondition)
        {
            // Not in this state.
        }
    }

    private async Task CheckAsync(Rollout rollout)
    {
        var now = await GetAsync(rollout.Id);
        now.Revision.Should().BeGreaterThanOrEqualTo(revision);
        revision = now.Revision;
        if (now.State is not (RolloutState.Stepping or RolloutState.Paused or RolloutState.Promoting))
        {
            now.Percent.Should().Be(0, now.State.ToString());
        }

        if (now.State != RolloutState.Promoting) // which may be over by now
        {
            (await StableAliasAsync()).Should().Be(now.State == RolloutState.Promoted ? Canary : Stable);
        }

        if (now.State == RolloutState.Promoted)
        {
            now.CanaryCounts.NotFinite.Should().BeLessThan(2, "the plan allows one");
        }

        (now.EndedAt is null).Should().Be(RolloutRules.IsRunning(now.State));
    }

    private async Task<RolloutState> EndAsync(Rollout rollout)
    {
        await OrderAsync(rollout, RolloutAction.RollBack);
        await PassAsync(seconds: 3);
        var ended = await GetAsync(rollout.Id);
        RolloutRules.IsRunning(ended.State).Should().BeFalse();
        await CheckAsync(rollout);
        await Registry.Client.SetAliasAsync(Model, "stable", Stable, cancellationToken: Cancellation);
        return ended.State;
    }

    private static RolloutPlan LenientPlan()
    {
        var plan = Plan(5, 25);
        plan.Tests = new TestLimits { Alpha = 0.5, Beta = 0.5, MaxErrorRise = 0.9, MaxLatencyRatio = 1000 };
        plan.Guards = new Guards { Window = 10_000 };
        plan.Inconclusive = Inconclusive.Promote;
        return plan;
    }
}
