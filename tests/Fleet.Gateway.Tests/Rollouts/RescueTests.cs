using Fleet.Client;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Rollouts;

public class RescueTests
{
    private static readonly GenerateStart Fox = new() { RequestId = "job-1", Prompt = "a fox", Steps = 3, Seed = 1, Count = 2 };
    private static readonly PixelStatistics Ordinary = new() { Maximum = 255, LargestRange = 255 };

    // Status of the canary, its trailer, what is reported.
    public static TheoryData<StatusCode, string, Fault> Faults => new()
    {
        { StatusCode.FailedPrecondition, Wire.NotFinite, Fault.NotFinite },
        { StatusCode.FailedPrecondition, Wire.LoadFailed, Fault.Load },
        { StatusCode.Internal, "", Fault.Error },
        { StatusCode.Unknown, "", Fault.Error },
        { StatusCode.DataLoss, "", Fault.Error },
        { StatusCode.Unavailable, "", Fault.Crash },
        { StatusCode.FailedPrecondition, "", Fault.Error },
        { StatusCode.InvalidArgument, "", Fault.Error },
        { StatusCode.NotFound, "", Fault.Error },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Generate_CanaryFailsAfterItsFirstImage_StableAnswersAndNoByteOfTheCanaryIsSeen(StatusCode status, string trailer, Fault fault)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        FailCanary(rollout, Moment.Chunk, number: 4, status, trailer); // the second image's first chunk

        var seen = await rollout.RunAsync(Fox);

        seen.Accepted.Select(accepted => (accepted.Version, accepted.CanaryOf)).Should().Equal(
            (RegistryPeer.CanaryDigest, RolloutFleet.Rollout), (RegistryPeer.Digest, ""));
        seen.Version.Should().Be(RegistryPeer.Digest);
        seen.File(0).Should().Equal(await rollout.DirectFileAsync(Fox, RegistryPeer.Digest));
        var outcome = await rollout.Traffic.NextOutcomeAsync();
        outcome.Should().BeEquivalentTo(new { RequestId = "job-1", Arm = Arm.Canary, Fault = fault, Rescued = true, Shadow = false });
        outcome.Detail.Should().Contain("the canary's fault");
    }

    [Fact]
    public async Task Generate_CanaryFailsInTheEncoder_StableIsTheFirstThatIsAccepted()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        rollout.Fleet.Encoder.Before = (_, _) => rollout.Fleet.Encoder.Requests[^1].Version == RegistryPeer.CanaryDigest
            ? throw Failure(StatusCode.FailedPrecondition, Wire.NotFinite)
            : Task.CompletedTask;

        var seen = await rollout.RunAsync(Fox);

        seen.Accepted.Should().ContainSingle().Which.Version.Should().Be(RegistryPeer.Digest);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Fault = Fault.NotFinite, Rescued = true, DenoiseMs = 0.0 });
    }

    [Fact]
    public async Task Generate_CanaryOfAPictureFails_StableEncodesTheFilesItself()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        FailCanary(rollout, Moment.Step, number: 1, StatusCode.Internal);

        await rollout.Fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1, InitImage = new byte[] { 1, 2, 3 } });

        rollout.Fleet.Decoder.Requests.Select(request => request.Start.Version).Should().Equal(RegistryPeer.CanaryDigest, RegistryPeer.Digest);
        rollout.Fleet.Decoder.Requests.Should().AllSatisfy(request => request.Files.Should().Equal(1, 2, 3));
    }

    [Fact]
    public async Task Generate_PinnedCanaryFails_ItsFailureIsTheAnswer()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0);
        FailCanary(rollout, Moment.Step, number: 2, StatusCode.FailedPrecondition, Wire.NotFinite);

        var refusal = await rollout.Fleet.RefusalAsync(new GenerateStart(Fox) { VersionPin = "canary" });

        refusal.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        refusal.Trailers.GetValue(Wire.VersionFaultTrailer).Should().Be(Wire.NotFinite);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = Fault.NotFinite, Rescued = false });
    }

    [Theory]
    [InlineData(0, 0, 0, Fault.Black)]
    [InlineData(255, 255, 0, Fault.White)]
    [InlineData(90, 110, 0, Fault.Constant)]
    public async Task Generate_CanaryMakesABlankPicture_StableAnswers(int minimum, int maximum, int range, Fault fault)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        var blank = new PixelStatistics { Minimum = minimum, Maximum = maximum, LargestRange = range };
        rollout.Denoiser.Pixels = start => start.Version == RegistryPeer.CanaryDigest ? blank : Ordinary;

        var seen = await rollout.RunAsync(Fox);

        seen.Version.Should().Be(RegistryPeer.Digest);
        seen.File(1).Should().HaveCount(DenoiserPeer.PictureBytes);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = fault, Rescued = true });
    }

    [Fact]
    public async Task Generate_BothVersionsMakeABlankPicture_ItIsTheRequestsDoing()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        rollout.Denoiser.Pixels = _ => new PixelStatistics();

        var seen = await rollout.RunAsync(Fox);

        seen.Version.Should().Be(RegistryPeer.Digest);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = Fault.None, Rescued = true });
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.NotFound)]
    public async Task Generate_BothVersionsRefuse_TheCallerIsToldAndNothingReported(StatusCode status)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        rollout.Fleet.Encoder.Before = (_, _) => throw Failure(status);

        var refusal = await rollout.Fleet.RefusalAsync(Fox);

        refusal.StatusCode.Should().Be(status);
        await NothingReportedAsync(rollout);
    }

    [Fact]
    public async Task Generate_FleetIsDownForBoth_OnlyStableIsReported()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100, settings: "--Gateway:StageAttempts=2");
        rollout.Fleet.Encoder.Before = (_, _) => throw Failure(StatusCode.Unavailable);

        var refusal = await rollout.Fleet.RefusalAsync(Fox);

        refusal.StatusCode.Should().Be(StatusCode.Unavailable);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Stable, Fault = Fault.Crash });
        await NothingReportedAsync(rollout);
    }

    [Fact]
    public async Task Generate_NoRoomForTheCanary_StableIsTriedAndNothingReported()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        rollout.Fleet.Encoder.Before = (_, _) => rollout.Fleet.Encoder.Requests[^1].Version == RegistryPeer.CanaryDigest
            ? throw Failure(StatusCode.ResourceExhausted)
            : Task.CompletedTask;

        (await rollout.RunAsync(Fox)).Version.Should().Be(RegistryPeer.Digest);
        await NothingReportedAsync(rollout);
    }

    [Fact]
    public async Task Generate_CanaryBreaksOffOnce_IsTriedAgainAndAnswers()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        int failures = 0;
        rollout.Denoiser.At = happening => happening is { Moment: Moment.Chunk, Number: 2 } && failures++ == 0
            ? throw Failure(StatusCode.Unavailable)
            : Task.CompletedTask;

        var seen = await rollout.RunAsync(Fox);

        seen.Version.Should().Be(RegistryPeer.CanaryDigest);
        seen.File(0).Should().Equal(await rollout.DirectFileAsync(Fox, RegistryPeer.CanaryDigest));
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = Fault.None, Rescued = false });
    }

    [Fact]
    public async Task Generate_CanaryIsTooSlowForItsShareOfTheDeadline_StableAnswersWithinIt()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100, settings: "--Rollouts:CanaryShare=0.1");
        rollout.Denoiser.At = happening => happening is { Moment: Moment.Step, Number: 2, Start.Version: var version } && version == RegistryPeer.CanaryDigest
            ? Task.Delay(Timeout.Infinite, happening.Context.CancellationToken)
            : Task.CompletedTask;
        var deadline = DateTime.UtcNow.AddSeconds(10);

        var seen = await rollout.RunAsync(Fox, deadline);

        DateTime.UtcNow.Should().BeBefore(deadline);
        seen.Version.Should().Be(RegistryPeer.Digest);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(
            new { Arm = Arm.Canary, Fault = Fault.None, Rescued = true, DenoiseMs = 3 * DenoiserPeer.StepMicroseconds / 1000.0 },
            "its pace is what there is to judge");
    }

    [Fact]
    public async Task Generate_CanaryAnswersNothingAtAll_CountsAsACrash()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100, settings: "--Rollouts:CanaryTimeLimit=00:00:00.3");
        rollout.Fleet.Encoder.Before = (_, context) => rollout.Fleet.Encoder.Requests[^1].Version == RegistryPeer.CanaryDigest
            ? Task.Delay(Timeout.Infinite, context.CancellationToken)
            : Task.CompletedTask;

        (await rollout.RunAsync(Fox)).Version.Should().Be(RegistryPeer.Digest);
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = Fault.Crash, Rescued = true });
    }

    [Fact]
    public async Task Generate_JoinedAfterTheRescue_SeesStableOnly()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        FailCanary(rollout, Moment.Chunk, number: 4, StatusCode.Internal);
        var first = await rollout.RunAsync(Fox);

        var again = await rollout.RunAsync(Fox);

        again.Accepted.Should().ContainSingle().Which.Should().BeEquivalentTo(new { Version = RegistryPeer.Digest, Attached = true });
        again.File(0).Should().Equal(first.File(0));
    }

    [Fact]
    public async Task Generate_CancelledInTheCanary_EndsWithoutARescueOrAReport()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        var gate = new Gate(rollout.Denoiser, Moment.Step, number: 2);
        var running = rollout.Fleet.RefusalAsync(Fox);
        await gate.Reached;

        await rollout.Fleet.Client.CancelAsync("job-1", TestContext.Current.CancellationToken);

        (await running).StatusCode.Should().Be(StatusCode.Cancelled);
        await gate.Cancelled;
        rollout.Denoiser.Jobs.Should().ContainSingle();
        await NothingReportedAsync(rollout);
    }

    private static void FailCanary(RolloutFleet rollout, Moment moment, int number, StatusCode status, string trailer = "") =>
        rollout.Denoiser.At = happening => happening.Moment == moment && happening.Number == number && happening.Start?.Version == RegistryPeer.CanaryDigest
            ? throw Failure(status, trailer)
            : Task.CompletedTask;

    private static RpcException Failure(StatusCode status, string trailer = "") => new(
        new Status(status, "the canary's fault"), trailer is "" ? [] : new Metadata { { Wire.VersionFaultTrailer, trailer } });

    // A further request is reported after whatever came before it.
    private static async Task NothingReportedAsync(RolloutFleet rollout)
    {
        rollout.Fleet.Encoder.Before = (_, _) => Task.CompletedTask;
        rollout.Denoiser.At = _ => Task.CompletedTask;
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "marker" });
        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("marker");
    }
}
