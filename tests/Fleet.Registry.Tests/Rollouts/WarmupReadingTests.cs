using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Rollouts;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class WarmupReadingTests
{
    private readonly Readiness wanted = new() { Percent = 100, MinReplicas = 1 };

    [Fact]
    public void Of_OneOfEachStage_IsReady() => Read(Replica("encoder"), Replica("denoiser"), Replica("decoder")).Ready.Should().BeTrue();

    [Fact]
    public void Of_AStageWithoutReplicas_IsNotReadyAndSaysSo()
    {
        var reading = Read(Replica("encoder"), Replica("decoder"));

        reading.Ready.Should().BeFalse();
        reading.Text.Should().Be("1 of 1 encoders ready, 0 of 0 denoisers ready, 1 of 1 decoders ready");
    }

    [Theory]
    [InlineData(100, 1, false)]
    [InlineData(67, 1, false)]
    [InlineData(66, 1, true)]
    [InlineData(66, 2, false)] // the other stages have one each
    public void Of_TwoOfThreeDenoisers_IsReadyByThePlan(double percent, int minReplicas, bool ready)
    {
        wanted.Percent = percent;
        wanted.MinReplicas = minReplicas;

        Read(Replica("encoder"), Replica("decoder"), Replica("denoiser"), Replica("denoiser"), Replica("denoiser", ReplicaState.Loading))
            .Ready.Should().Be(ready);
    }

    [Fact]
    public void Of_ADeadReplica_DoesNotCount()
    {
        var dead = Replica("denoiser", ReplicaState.Loading);

        WarmupReading.Of(wanted, [Replica("encoder"), Replica("denoiser"), Replica("decoder"), dead], replica => replica != dead).Ready.Should().BeTrue();
    }

    [Fact]
    public void Of_AReplicaThatFailed_NamesItAndItsReasonEvenWhenItIsDead()
    {
        var failed = Replica("denoiser", ReplicaState.Failed);
        failed.Detail = "unet: 3 tensors are missing";

        WarmupReading.Of(wanted, [Replica("encoder"), failed], replica => replica != failed).Failure
            .Should().Be($"denoiser replica '{failed.Replica}' cannot load the canary: unet: 3 tensors are missing");
    }

    private WarmupReading Read(params ReplicaReadiness[] replicas) => WarmupReading.Of(wanted, replicas, _ => true);

    private static ReplicaReadiness Replica(string stage, ReplicaState state = ReplicaState.Ready) =>
        new() { Stage = stage, Replica = Guid.NewGuid().ToString("N"), State = state };
}
