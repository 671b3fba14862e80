using Fleet.Client;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Rollouts;

public class ShadowTests
{
    private static readonly GenerateStart Fox = new() { RequestId = "job-1", Prompt = "a fox", Steps = 3, Count = 2, PreviewInterval = 1, Width = 128 };

    [Theory]
    [InlineData(0, Arm.Canary)]
    [InlineData(100, Arm.Stable)]
    public async Task Generate_Shadowed_OtherVersionRunsTheSameAndThePairIsReported(double percent, Arm shadowArm)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent, shadowPercent: 100);

        var seen = await rollout.RunAsync(Fox);

        var pair = await rollout.Traffic.NextPairAsync();
        pair.Should().BeEquivalentTo(new
        {
            RequestId = "job-1",
            seen.Events[^1].Receipt.Recipe.Seed,
            Width = 128,
            Height = 64,
            Steps = 3,
            StableAnswered = percent == 0,
            Distance = new { PsnrDb = 20.0, Ssim = 0.5, LatentRmse = 0.25, Identical = false },
        });
        (pair.StableThumbnail[0], pair.CanaryThumbnail[0]).Should().Be(((byte)1, (byte)2));
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { RequestId = "job-1", Shadow = false, Count = 2 });
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(
            new { RequestId = "job-1.shadow", Arm = shadowArm, Shadow = true, Fault = Fault.None, Count = 1, Steps = 3, Width = 128 });
    }

    [Fact]
    public async Task Generate_Shadowed_ComparesBothFilesAndLatentsWithStableFirst()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100, shadowPercent: 100);

        var seen = await rollout.RunAsync(Fox);
        await rollout.Traffic.NextPairAsync();

        var (answered, shadow) = (rollout.Denoiser.Jobs[0].Start, rollout.Denoiser.Jobs[1].Start);
        shadow.Should().BeEquivalentTo(new { Version = RegistryPeer.Digest, answered.Seed, answered.Steps, Count = 1, PreviewInterval = 0 });
        var (start, files, latents) = rollout.Fleet.Decoder.Comparisons.Single();
        start.Should().BeEquivalentTo(new { FirstByteLength = DenoiserPeer.PictureBytes, SecondByteLength = DenoiserPeer.PictureBytes, Latents = true, ThumbnailSize = 128 });
        files.Should().Equal([.. rollout.Denoiser.Picture(shadow, 0), .. seen.File(0)]);
        latents.Select(tensor => BitConverter.ToSingle(tensor.Data)).Should().Equal('a', 'c');
    }

    [Fact]
    public async Task Generate_NotDrawnForAShadow_RunsOnceAndWithoutLatents()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 0);

        await rollout.RunAsync(Fox);
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        rollout.Denoiser.Jobs.Should().HaveCount(2).And.AllSatisfy(job => job.Start.ReturnLatents.Should().BeFalse());
    }

    [Fact]
    public async Task Generate_ShadowHangs_CallersAreServedAndFurtherShadowsLeftOut()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 100, "--Rollouts:ShadowQueue=1");
        var hung = new TaskCompletionSource();
        var released = new TaskCompletionSource();
        rollout.Denoiser.At = async happening =>
        {
            if (happening is { Moment: Moment.Step, Number: 1, Start.Version: var version } && version == RegistryPeer.CanaryDigest)
            {
                hung.TrySetResult();
                await released.Task;
            }
        };
        await rollout.RunAsync(Fox);
        await hung.Task.WaitAsync(TestFleet.Patience, TestContext.Current.CancellationToken);

        for (int i = 2; i <= 5; i++)
        {
            (await rollout.RunAsync(new GenerateStart(Fox) { RequestId = $"job-{i}" })).Version.Should().Be(RegistryPeer.Digest);
        }

        released.SetResult();
        (await rollout.Traffic.NextPairAsync()).RequestId.Should().Be("job-1");
        (await rollout.Traffic.NextPairAsync()).RequestId.Should().Be("job-2");
        rollout.Denoiser.Jobs.Should().HaveCount(7, "five callers, one shadow that hung and one that waited");
    }

    [Fact]
    public async Task Generate_OthersWaitForTheDenoiser_ShadowGivesUpItsPlace()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 100);
        rollout.Denoiser.QueuePosition = 1;
        await rollout.RunAsync(Fox);
        while (rollout.Denoiser.Jobs.Count < 2)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        rollout.Denoiser.QueuePosition = 0;
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        (await rollout.Traffic.NextPairAsync()).RequestId.Should().Be("job-2");
        rollout.Traffic.Reports.SelectMany(report => report.Outcomes).Should().NotContain(outcome => outcome.RequestId == "job-1.shadow");
    }

    [Theory]
    [InlineData(StatusCode.Internal, Fault.Error)]
    [InlineData(StatusCode.Unavailable, Fault.Crash)]
    [InlineData(StatusCode.InvalidArgument, Fault.Error)]
    public async Task Generate_ShadowFails_IsReportedAndTheCallerHasItsPicture(StatusCode status, Fault fault)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 100);
        rollout.Denoiser.At = happening => happening.Start?.Version == RegistryPeer.CanaryDigest
            ? throw new RpcException(new Status(status, "out of order"))
            : Task.CompletedTask;

        (await rollout.RunAsync(Fox)).Version.Should().Be(RegistryPeer.Digest);

        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Stable, Fault = Fault.None });
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = fault, Shadow = true });
    }

    [Fact]
    public async Task Generate_ShadowIsBlack_IsReportedWithThePair()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 100);
        rollout.Denoiser.Pixels = start => start.Version == RegistryPeer.CanaryDigest
            ? new PixelStatistics()
            : new PixelStatistics { Maximum = 255, LargestRange = 255 };

        await rollout.RunAsync(Fox);

        await rollout.Traffic.NextOutcomeAsync();
        (await rollout.Traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = Fault.Black, Shadow = true });
        (await rollout.Traffic.NextPairAsync()).RequestId.Should().Be("job-1");
    }

    [Fact]
    public async Task Generate_FromAPicture_HasNoShadow()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 100);

        await rollout.Fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1, InitImage = new byte[] { 1 } });
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" });

        (await rollout.Traffic.NextPairAsync()).RequestId.Should().Be("job-2");
        rollout.Denoiser.Jobs.Should().HaveCount(3);
    }

    [Fact]
    public async Task Generate_GatewayHasMuchToDo_LeavesTheShadowOut()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0, shadowPercent: 100, "--Rollouts:ShadowMaxRunningJobs=0");
        var gate = new Gate(rollout.Denoiser, Moment.Step, number: 2);
        var busy = rollout.RunAsync(new GenerateStart(Fox) { RequestId = "busy" });
        await gate.Reached;

        await rollout.RunAsync(Fox);
        gate.Open();
        await busy;

        (await rollout.Traffic.NextPairAsync()).RequestId.Should().Be("busy");
    }
}
