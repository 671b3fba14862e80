using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Registry.Tests.Rollouts.Judging;

public sealed class FaultGuardTests
{
    private readonly FaultGuard guard = new(new Guards { MaxFailures = 1, MaxBlankPictures = 1, Window = 50 });

    [Theory]
    [InlineData(Fault.NotFinite, "max_failures")]
    [InlineData(Fault.Load, "max_failures")]
    [InlineData(Fault.Crash, "max_failures")]
    [InlineData(Fault.Error, "max_failures")]
    [InlineData(Fault.Black, "max_blank_pictures")]
    [InlineData(Fault.White, "max_blank_pictures")]
    [InlineData(Fault.Constant, "max_blank_pictures")]
    public void Passed_AtOneFaultMoreThanTheLimit_NamesTheLimit(Fault fault, string field)
    {
        Show(Arm.Canary, fault, "a");
        guard.Passed.Should().BeNull();

        Show(Arm.Canary, fault, "b");
        guard.Passed.Should().Contain(field).And.Contain(fault.ToString());
    }

    [Fact]
    public void Passed_AfterTheWindow_StaysNull()
    {
        for (int i = 0; i < 50; i++)
        {
            Show(Arm.Canary, Fault.None);
        }

        Show(Arm.Canary, Fault.NotFinite, "a");
        Show(Arm.Canary, Fault.NotFinite, "b");

        guard.Passed.Should().BeNull();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Passed_WhenStableIsBlankWithTheSameRequests_IsNull(bool stableFirst)
    {
        Arm[] order = stableFirst ? [Arm.Stable, Arm.Canary] : [Arm.Canary, Arm.Stable];
        for (int i = 0; i < 20; i++)
        {
            Array.ForEach(order, arm => Show(arm, Fault.Black, $"{i}"));
        }

        guard.Passed.Should().BeNull();
    }

    [Fact]
    public void Passed_WhenStableFailedWithAnotherRequest_IsNotExcused()
    {
        Show(Arm.Stable, Fault.Black, "other");
        Show(Arm.Stable, Fault.NotFinite, "another");
        Show(Arm.Canary, Fault.NotFinite, "a");
        Show(Arm.Canary, Fault.NotFinite, "b");

        guard.Passed.Should().NotBeNull();
    }

    [Fact]
    public void Passed_OfCrashesThatStableHasAsWell_IsNull()
    {
        for (int i = 0; i < 100; i++)
        {
            Show(Arm.Stable, i % 5 == 0 ? Fault.Crash : Fault.None, $"s{i}");
        }

        for (int i = 0; i < 49; i++)
        {
            Show(Arm.Canary, i % 5 == 0 ? Fault.Crash : Fault.None, $"c{i}");
        }

        guard.Passed.Should().BeNull();
    }

    [Fact]
    public void Passed_OfNotFiniteLatents_TakesNoExplanationFromCrashes()
    {
        for (int i = 0; i < 100; i++)
        {
            Show(Arm.Stable, Fault.Crash, $"s{i}");
        }

        Show(Arm.Canary, Fault.NotFinite, "a");
        Show(Arm.Canary, Fault.NotFinite, "b");

        guard.Passed.Should().NotBeNull();
    }

    [Fact]
    public void Passed_WithALimitOfNone_TakesNoExplanation()
    {
        var strict = new FaultGuard(new Guards { MaxFailures = 0, MaxBlankPictures = 0, Window = 50 });
        for (int i = 0; i < 100; i++)
        {
            strict.Observe(Observations.Of(Arm.Stable, Fault.Crash, $"s{i}"));
        }

        strict.Observe(Observations.Of(Arm.Canary, Fault.Crash, "a"));

        strict.Passed.Should().NotBeNull();
    }

    private void Show(Arm arm, Fault fault, string request = "") => guard.Observe(Observations.Of(arm, fault, request));
}
