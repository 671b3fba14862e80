using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class ReportTestsOnSqlite() : ReportTests(TestDatabase.Sqlite);

public sealed class ReportTestsOnPostgres() : ReportTests(TestDatabase.Postgres);

public abstract class ReportTests(TestDatabase database) : RolloutTest(database)
{
    [Fact]
    public async Task ReportOutcomes_TheSameAgain_CountsOnce()
    {
        var rollout = await BeginStepAsync();
        var report = new ReportOutcomesRequest { Reporter = "a", Sequence = 7, Outcomes = { Outcome(rollout, Arm.Canary), Outcome(rollout, Arm.Stable) } };

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ReportAsync(report)));
        await ReportAsync(new ReportOutcomesRequest(report) { Reporter = "b" });
        await ReportAsync(new ReportOutcomesRequest(report) { Sequence = 6 }); // later than 7: another report

        var now = await GetAsync(rollout.Id);
        now.CanaryCounts.Requests.Should().Be(3);
        now.StableCounts.Requests.Should().Be(3);
    }

    [Fact]
    public async Task ReportOutcomes_OfAnUnknownOrEndedRollout_AreIgnored()
    {
        var rollout = await BeginStepAsync();
        var unknown = Outcome(rollout, Arm.Canary);
        unknown.Rollout = "ro-unknown";
        await ReportAsync(unknown, Outcome(rollout, Arm.Canary));
        await ControlAsync(rollout, RolloutAction.RollBack);
        await PassAsync(seconds: 3);

        await ReportAsync(Outcome(rollout, Arm.Canary));

        (await ShouldBeAsync(rollout, RolloutState.RolledBack)).CanaryCounts.Requests.Should().Be(1);
    }

    [Fact]
    public async Task ReportOutcomes_BadValues_AreNamedAndNothingIsCounted()
    {
        var rollout = await BeginStepAsync();

        await RefusedAsync(rollout, outcome => outcome.Arm = Arm.Unspecified, "outcomes[1].arm is 0*");
        await RefusedAsync(rollout, outcome => outcome.Fault = (Fault)99, "outcomes[1].fault is 99*");
        await RefusedAsync(rollout, outcome => outcome.DenoiseMs = double.NaN, "outcomes[1].denoise_ms is NaN; give a finite number*");
        await RefusedAsync(rollout, outcome => outcome.Width = -1, "outcomes[1].width is -1; give 0 or more.");
        await RefusedAsync(rollout, outcome => outcome.At = null, "outcomes[1].at is not set*");
        await RefusedAsync(rollout, outcome => outcome.Detail = "a\0b", "outcomes[1].detail is 'text with a NUL character'*");

        (await GetAsync(rollout.Id)).CanaryCounts.Requests.Should().Be(0);
    }

    [Fact]
    public async Task ReportOutcomes_MoreThanAThousand_AreRefused()
    {
        var rollout = await BeginStepAsync();

        var failure = await ShouldFailAsync(
            () => ReportAsync([.. Enumerable.Range(0, 1001).Select(_ => Outcome(rollout, Arm.Stable))]), StatusCode.InvalidArgument);

        failure.Status.Detail.Should().Be("outcomes and pairs is 1001; give at most 1000 together.");
    }

    [Fact]
    public async Task ReportOutcomes_ManyPairs_KeepAllNumbersAndSomeThumbnails()
    {
        var rollout = await BeginStepAsync(PlanWithPairs());
        for (int i = 0; i < 10; i++) // the most distant ones first
        {
            await ReportAsync(rollout, [.. Enumerable.Range(0, 20).Select(j => Pair(ssim: 0.5 + (0.001 * ((20 * i) + j)), thumbnail: (byte)i))]);
        }

        (await GetAsync(rollout.Id)).Pairs.Should().Be(200);
        var newest = await SamplesAsync(rollout, worstFirst: false);
        var worst = await SamplesAsync(rollout, worstFirst: true);
        newest.Select(sample => sample.Distance.Ssim).Should().BeInDescendingOrder().And.HaveCount(100);
        worst.Select(sample => sample.Distance.Ssim).Should().BeInAscendingOrder().And.HaveCount(100);
        newest.Select(HasThumbnails).Should().Equal(Enumerable.Range(0, 100).Select(i => i < 64));
        worst.Select(HasThumbnails).Should().Equal(Enumerable.Range(0, 100).Select(i => i < 64));
        worst[0].Should().Match<Sample>(sample => sample.Seed == 7 && sample.StableThumbnail.Equals(ByteString.CopyFrom(1, 0)));
    }

    [Fact]
    public async Task ReportReadiness_BadValues_AreNamed()
    {
        var rollout = await BeginAsync();

        (await ShouldFailAsync(() => ReportAsync(rollout, "vae", "one", ReplicaState.Ready), StatusCode.InvalidArgument)).Status.Detail
            .Should().Be("stage is 'vae'; give encoder, denoiser or decoder.");
        (await ShouldFailAsync(() => ReportAsync(rollout, "decoder", "", ReplicaState.Ready), StatusCode.InvalidArgument)).Status.Detail
            .Should().StartWith("replica is empty");
        (await ShouldFailAsync(() => ReportAsync(rollout, "decoder", "one", ReplicaState.Unspecified), StatusCode.InvalidArgument)).Status.Detail
            .Should().StartWith("progress[1].state is 0");
    }

    private static RolloutPlan PlanWithPairs()
    {
        var plan = Plan(5);
        plan.Steps[0].ShadowPercent = 100;
        plan.Tests = new TestLimits { MaxPictureDistance = 1, MaxLatentDistance = 100 };
        return plan;
    }

    private static bool HasThumbnails(Sample sample) => sample is { StableThumbnail.IsEmpty: false, CanaryThumbnail.IsEmpty: false };

    private async Task<IReadOnlyList<Sample>> SamplesAsync(Rollout rollout, bool worstFirst)
    {
        var request = new ListSamplesRequest { Rollout = rollout.Id, WorstFirst = worstFirst, PageSize = 100 };
        return (await Registry.Rollouts.ListSamplesAsync(request, cancellationToken: Cancellation)).Samples;
    }

    private async Task ReportAsync(ReportOutcomesRequest report) => await Registry.Traffic.ReportOutcomesAsync(report, cancellationToken: Cancellation);

    private async Task RefusedAsync(Rollout rollout, Action<RequestOutcome> spoil, string detail)
    {
        var spoilt = Outcome(rollout, Arm.Canary);
        spoil(spoilt);
        (await ShouldFailAsync(() => ReportAsync(Outcome(rollout, Arm.Canary), spoilt), StatusCode.InvalidArgument)).Status.Detail.Should().Match(detail);
    }
}
