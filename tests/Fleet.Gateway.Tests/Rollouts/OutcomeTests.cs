using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Rollouts;

public class OutcomeTests
{
    private static readonly GenerateStart Fox = new() { RequestId = "job-1", Prompt = "a fox", Steps = 3, Seed = 1, Count = 2, Width = 128 };

    [Theory]
    [InlineData(0, Arm.Stable)]
    [InlineData(100, Arm.Canary)]
    public async Task Generate_Finished_IsReportedOnceWithItsTimes(double percent, Arm arm)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent);
        var before = DateTime.UtcNow.AddSeconds(-1);

        await rollout.RunAsync(Fox);
        await rollout.RunAsync(Fox); // the same id: the finished job
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        var outcome = await rollout.Traffic.NextOutcomeAsync();
        outcome.Should().BeEquivalentTo(new
        {
            RolloutFleet.Rollout,
            RequestId = "job-1",
            Arm = arm,
            Fault = Fault.None,
            Shadow = false,
            Rescued = false,
            EncodeMs = 0.07,
            DenoiseMs = 0.021,
            DecodeMs = 0.066,
            Width = 128,
            Height = 64,
            Steps = 3,
            Count = 2,
            Cold = false,
        });
        outcome.At.ToDateTime().Should().BeAfter(before).And.BeBefore(DateTime.UtcNow.AddSeconds(1));
        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-2");
        rollout.Traffic.HasMoreOutcomes.Should().BeFalse();
    }

    [Theory]
    [InlineData(StatusCode.Internal, Fault.Error)]
    [InlineData(StatusCode.Unavailable, Fault.Crash)]
    public async Task Generate_StableFails_IsReported(StatusCode status, Fault fault)
    {
        await using var rollout = await RolloutFleet.StartAsync(0, settings: "--Gateway:StageAttempts=2");
        rollout.Denoiser.At = _ => throw new RpcException(new Status(status, "out of order"));

        await rollout.Fleet.RefusalAsync(Fox);

        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Stable, Fault = fault, Rescued = false });
    }

    [Fact]
    public async Task Generate_StableMakesABlackPicture_IsReportedAndGivenToTheCaller()
    {
        await using var rollout = await RolloutFleet.StartAsync(0);
        rollout.Denoiser.Pixels = _ => new PixelStatistics();

        (await rollout.RunAsync(Fox)).File(0).Should().HaveCount(DenoiserPeer.PictureBytes);

        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Stable, Fault = Fault.Black });
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.ResourceExhausted)]
    [InlineData(StatusCode.FailedPrecondition)]
    public async Task Generate_CallersFaultOrOverload_IsNotReported(StatusCode status)
    {
        await using var rollout = await RolloutFleet.StartAsync(0);
        rollout.Fleet.Encoder.Before = (_, _) => throw new RpcException(new Status(status, "no"));

        await rollout.Fleet.RefusalAsync(Fox);
        rollout.Fleet.Encoder.Before = (_, _) => Task.CompletedTask;
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-2");
    }

    [Fact]
    public async Task Generate_ModelWithoutARollout_IsNotReported()
    {
        await using var rollout = await RolloutFleet.StartAsync(0);

        await rollout.RunAsync(new GenerateStart(Fox) { Model = RegistryPeer.Digest });
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-2");
    }

    [Fact]
    public async Task Report_RegistryTakesItAndFails_IsSentAgainUnderItsNumber()
    {
        await using var rollout = await RolloutFleet.StartAsync(0);
        var sequences = new List<int>();
        rollout.Traffic.BeforeReport = (call, _) =>
        {
            sequences.Add(call);
            return call < 3 ? throw new RpcException(new Status(StatusCode.Unavailable, "the database is gone")) : Task.CompletedTask;
        };

        await rollout.RunAsync(Fox);
        await rollout.Traffic.NextOutcomeAsync();
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });
        await rollout.Traffic.NextOutcomeAsync();

        sequences.Should().Equal(1, 2, 3, 4);
        rollout.Traffic.Reports.Select(report => report.Sequence).Should().Equal(1, 2);
        rollout.Traffic.Reports.Select(report => report.Reporter).Distinct().Should().ContainSingle();
    }

    [Fact]
    public async Task Report_RegistryRestarts_NothingIsLost()
    {
        await using var rollout = await RolloutFleet.StartAsync(0);
        await rollout.StopRegistryAsync();
        await rollout.RunAsync(Fox);
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        await rollout.StartRegistryAsync();

        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-1");
        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-2");
    }

    [Fact]
    public async Task Report_GatewayStops_SendsWhatWaits()
    {
        var rollout = await RolloutFleet.StartAsync(0, settings: "--Rollouts:ReportAfter=00:01:00");
        await rollout.RunAsync(Fox);

        await rollout.Fleet.StopGatewayAsync();

        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-1");
        await rollout.DisposeAsync();
    }

    [Fact]
    public async Task Report_FaultOfTheCanary_DoesNotWaitForOthers()
    {
        await using var rollout = await RolloutFleet.StartAsync(100, settings: "--Rollouts:ReportAfter=00:01:00");
        rollout.Denoiser.At = happening => happening.Start?.Version == RegistryPeer.CanaryDigest
            ? throw new RpcException(new Status(StatusCode.Internal, "unexpected"))
            : Task.CompletedTask;

        await rollout.RunAsync(Fox);

        (await rollout.Traffic.NextOutcomeAsync()).Fault.Should().Be(Fault.Error);
    }
}
