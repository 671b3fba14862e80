using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class StateClocksTests
{
    private readonly JumpingTime time = new();
    private readonly StateClocks clocks;

    public StateClocksTests() => clocks = new StateClocks(time, most: TimeSpan.FromSeconds(5));

    [Fact]
    public void ElapsedOf_GoesOnFromWhatWasStored()
    {
        var rollout = Rollout(TimeSpan.FromSeconds(40));

        clocks.ElapsedOf(rollout).Should().Be(TimeSpan.FromSeconds(40));
        Pass(TimeSpan.FromSeconds(2));

        clocks.ElapsedOf(rollout).Should().Be(TimeSpan.FromSeconds(42));
    }

    [Theory]
    [InlineData(-3650)]
    [InlineData(3650)]
    public void ElapsedOf_AfterTheTimeOfDayJumped_IsAsBefore(int days)
    {
        var rollout = Rollout(TimeSpan.FromSeconds(40));
        _ = clocks.ElapsedOf(rollout);

        time.Jump = TimeSpan.FromDays(days);
        clocks.Advance();

        clocks.ElapsedOf(rollout).Should().Be(TimeSpan.FromSeconds(40));
    }

    [Fact]
    public void ElapsedOf_AfterALongTimeInWhichNobodyLooked_CountsLittleOfIt()
    {
        var rollout = Rollout(TimeSpan.Zero);
        _ = clocks.ElapsedOf(rollout);

        Pass(TimeSpan.FromHours(8));

        clocks.ElapsedOf(rollout).Should().Be(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void ElapsedOf_ARolloutThatChanged_IsWhatWasStored()
    {
        _ = clocks.ElapsedOf(Rollout(TimeSpan.FromSeconds(40)));

        clocks.ElapsedOf(Rollout(TimeSpan.FromSeconds(1)) with { Revision = 2 }).Should().Be(TimeSpan.FromSeconds(1));
    }

    private void Pass(TimeSpan span)
    {
        time.Advance(span);
        clocks.Advance();
    }

    private static RolloutRecord Rollout(TimeSpan elapsed) => new()
    {
        Number = 1,
        Id = "ro-000000000001",
        Model = "fox",
        Stable = Digest.Of("stable"u8),
        Canary = Digest.Of("canary"u8),
        HadAlias = true,
        Plan = new RolloutPlan(),
        Actor = "anonymous",
        CreatedAt = default,
        Progress = new RolloutProgress(RolloutState.Stepping, 0, elapsed, 0, 0),
        StepBeganAt = null,
        FirstCanaryAt = null,
        EndedAt = null,
        Reason = "",
        Revision = 1,
    };
}
