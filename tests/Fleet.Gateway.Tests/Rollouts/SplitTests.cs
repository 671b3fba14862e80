using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Rollouts;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Rollouts;

public class SplitTests
{
    private static readonly GenerateStart Fox = new() { Prompt = "a fox", Steps = 1, Seed = 1 };

    [Fact]
    public async Task Generate_ManyKeys_EachGoesWhereItsBucketSays()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 30);

        foreach (string key in Enumerable.Range(0, 20).Select(i => $"tenant-{i}"))
        {
            bool canary = Assignment.IsCanary(RolloutFleet.Split(30), key);
            var seen = await rollout.RunAsync(new GenerateStart(Fox) { StickyKey = key });
            seen.Version.Should().Be(canary ? RegistryPeer.CanaryDigest : RegistryPeer.Digest, key);
            seen.Accepted.Should().ContainSingle().Which.CanaryOf.Should().Be(canary ? RolloutFleet.Rollout : "");
        }
    }

    [Fact]
    public async Task Generate_NoStickyKey_GoesByItsRequestId()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 27);

        (await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "tenant-7" })).Version.Should().Be(RegistryPeer.CanaryDigest);
        (await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "tenant-8" })).Version.Should().Be(RegistryPeer.Digest);
    }

    [Fact]
    public async Task Generate_Canary_IsTheVersionOfAllStages()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);

        await rollout.Fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1, InitImage = new byte[] { 1 } });

        rollout.Fleet.Encoder.Requests.Single().Version.Should().Be(RegistryPeer.CanaryDigest);
        rollout.Fleet.Decoder.Requests.Single().Start.Version.Should().Be(RegistryPeer.CanaryDigest);
        rollout.Denoiser.Jobs.Single().Start.Version.Should().Be(RegistryPeer.CanaryDigest);
    }

    [Theory]
    [InlineData("", true)] // the default model, "tiny"
    [InlineData("tiny", true)]
    [InlineData("tiny@stable", true)]
    [InlineData("DIGEST", false)]
    public async Task Generate_Reference_TakesPartUnlessItIsADigest(string reference, bool takesPart)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);

        var seen = await rollout.RunAsync(new GenerateStart(Fox) { Model = reference is "DIGEST" ? RegistryPeer.Digest : reference });

        seen.Version.Should().Be(takesPart ? RegistryPeer.CanaryDigest : RegistryPeer.Digest);
    }

    [Theory]
    [InlineData("stable", 100)]
    [InlineData("canary", 0)]
    public async Task Generate_Pinned_TakesThatVersion(string pin, double percent)
    {
        await using var rollout = await RolloutFleet.StartAsync(percent);

        var byField = await rollout.RunAsync(new GenerateStart(Fox) { VersionPin = pin });
        var byMetadata = await rollout.RunAsync(Fox, headers: new Metadata { { "fleet-version-pin", pin } });

        string expected = pin is "stable" ? RegistryPeer.Digest : RegistryPeer.CanaryDigest;
        byField.Version.Should().Be(expected);
        byMetadata.Version.Should().Be(expected);
    }

    [Fact]
    public async Task Generate_PinnedWithoutARollout_StableWorksAndCanaryIsRefused()
    {
        await using var fleet = await TestFleet.StartAsync();

        var stable = await fleet.RunAsync(new GenerateStart(Fox) { VersionPin = "stable" });
        var canary = await fleet.RefusalAsync(new GenerateStart(Fox) { VersionPin = "canary" });

        stable.Last().Receipt.Recipe.Version.Should().Be(RegistryPeer.Digest);
        canary.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        canary.Status.Detail.Should().StartWith("version_pin is 'canary' and 'tiny' has none");
    }

    [Fact]
    public async Task Generate_BadPinOrKey_NamesFieldAndValue()
    {
        await using var fleet = await TestFleet.StartAsync();

        (await fleet.RefusalAsync(new GenerateStart(Fox) { VersionPin = "newest" })).Status.Detail.Should().StartWith("version_pin is 'newest'; give 'stable' or 'canary'");
        (await fleet.RefusalAsync(new GenerateStart(Fox) { StickyKey = new string('k', 257) })).Status.Detail.Should().StartWith("sticky_key is ").And.Contain("256");
    }

    [Fact]
    public async Task Generate_SameIdWithAnotherPin_IsAConflict()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 0);
        await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-1" });

        var refusal = await rollout.Fleet.RefusalAsync(new GenerateStart(Fox) { RequestId = "job-1", VersionPin = "canary" });

        refusal.StatusCode.Should().Be(StatusCode.AlreadyExists);
        refusal.Status.Detail.Should().Contain("version_pin");
    }

    [Fact]
    public async Task Generate_RolloutEndsMeanwhile_JobKeepsItsVersionAndTheNextHasNone()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        var gate = new Gate(rollout.Denoiser, Moment.Step, number: 1);
        var running = rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-1" });
        await gate.Reached;

        await rollout.SetAsync();
        gate.Open();

        (await running).Version.Should().Be(RegistryPeer.CanaryDigest);
        (await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-1" })).Version.Should().Be(RegistryPeer.CanaryDigest, "the job is finished and kept");
        (await rollout.RunAsync(new GenerateStart(Fox) { RequestId = "job-2" })).Version.Should().Be(RegistryPeer.Digest);
        (await rollout.Traffic.NextOutcomeAsync()).RequestId.Should().Be("job-1");
    }

    [Fact]
    public async Task Generate_RegistryAway_KeepsTheSplitAndHearsOfChangesAgain()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100);
        await rollout.StopRegistryAsync();

        (await rollout.RunAsync(Fox)).Version.Should().Be(RegistryPeer.CanaryDigest);

        await rollout.StartRegistryAsync();
        await rollout.SetAsync(RolloutFleet.Split(0));
        (await rollout.RunAsync(Fox)).Version.Should().Be(RegistryPeer.Digest);
    }

    [Fact]
    public async Task Generate_RegistryWithAToken_GetsItWithEachCall()
    {
        await using var rollout = await RolloutFleet.StartAsync(percent: 100, settings: "--Stages:RegistryToken=secret");
        string? authorization = null;
        rollout.Traffic.BeforeReport = (_, context) =>
        {
            authorization = context.RequestHeaders.GetValue("authorization");
            return Task.CompletedTask;
        };

        await rollout.RunAsync(Fox);
        await rollout.Traffic.NextOutcomeAsync();

        authorization.Should().Be("Bearer secret");
    }
}
