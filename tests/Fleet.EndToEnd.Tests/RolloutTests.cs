using System.Globalization;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.EndToEnd.Tests;

/// <summary>Rollouts over real processes: what the callers see while a good or a damaged version is rolled out.</summary>
public sealed class RolloutTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(8);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Shadow pairs first; then callers meet the canary. Limits are wide where a busy test machine makes numbers wide, and narrow for pictures:
    // those of a small fine-tune of this model hardly differ, and those of a wrong scheduler have a 1 - SSIM of about 0.2 only.
    private static RolloutPlan Plan => new()
    {
        Steps =
        {
            new RolloutStep { Percent = 0, ShadowPercent = 100, MinPairs = 6 },
            new RolloutStep { Percent = 25, ShadowPercent = 50, MinRequests = 15 },
            new RolloutStep { Percent = 60, ShadowPercent = 20, MinRequests = 40 },
        },
        Tests = new TestLimits { Alpha = 0.05, Beta = 0.05, MaxErrorRise = 0.15, MaxLatencyRatio = 1.6, MaxPictureDistance = 0.1, MaxLatentDistance = 0.5, MaxFlagRise = 0.15 },
        Inconclusive = Inconclusive.RollBack,
    };

    [Fact]
    public async Task FineTune_IsPromotedAndServesAllRequests()
    {
        await using var fleet = await ProcessFleet.StartAsync();
        string canary = await fleet.PushAsync("fine-tune", Faults.FineTune);

        var (rollout, answers) = await RollOutAsync(fleet, canary, Plan, "a fine-tune");

        rollout.State.Should().Be(RolloutState.Promoted, Explain(rollout));
        answers.Should().OnlyContain(answer => answer.Error == null);
        answers.Select(answer => answer.Version).Distinct().Should().BeEquivalentTo([fleet.Stable, canary]);
        (await fleet.Models.ResolveAsync(ProcessFleet.Model, Cancellation)).Digest.Should().Be(canary);
        (await fleet.Audit.VerifyLogAsync(new VerifyLogRequest(), cancellationToken: Cancellation)).Faults.Should().BeEmpty();
    }

    [Fact]
    public Task NotANumber_IsRolledBack() => ShouldRollBackAsync("a tensor of NaN", Faults.NotANumber);

    [Fact]
    public Task Overflow_IsRolledBack() => ShouldRollBackAsync("results that overflow", Faults.Overflow);

    [Fact]
    public Task SwappedAutoencoder_IsRolledBack() => ShouldRollBackAsync("the autoencoder of another model", Faults.SwappedAutoencoder);

    [Fact]
    public Task WrongScheduler_IsRolledBack() => ShouldRollBackAsync("a wrong scheduler config", Faults.WrongScheduler);

    [Fact]
    public async Task TruncatedBlob_IsRolledBack()
    {
        await using var fleet = await ProcessFleet.StartAsync();
        string canary = await fleet.PushAsync("fine-tune", Faults.FineTune);
        var manifest = await fleet.Models.GetManifestAsync(canary, Cancellation);
        var stable = (await fleet.Models.GetManifestAsync(fleet.Stable, Cancellation)).Files.SelectMany(file => file.Parts).Select(part => part.Sha256).ToHashSet();
        var changed = manifest.Files.SelectMany(file => file.Parts).Where(part => !stable.Contains(part.Sha256)).MaxBy(part => part.Size)!;
        using (var blob = new FileStream(fleet.BlobFile(changed.Sha256), FileMode.Open, FileAccess.Write))
        {
            blob.SetLength(changed.Size / 2);
        }

        await ShouldRollBackAsync(fleet, canary, "a truncated file");
    }

    private async Task ShouldRollBackAsync(string what, ModelFolderChange fault)
    {
        await using var fleet = await ProcessFleet.StartAsync();
        await ShouldRollBackAsync(fleet, await fleet.PushAsync("damaged", fault), what);
    }

    private async Task ShouldRollBackAsync(ProcessFleet fleet, string canary, string what)
    {
        var (rollout, answers) = await RollOutAsync(fleet, canary, Plan, what);

        rollout.State.Should().Be(RolloutState.RolledBack, Explain(rollout));
        answers.Should().OnlyContain(answer => answer.Error == null);
        (await fleet.Models.ResolveAsync(ProcessFleet.Model, Cancellation)).Digest.Should().Be(fleet.Stable);
        answers[^1].Version.Should().Be(fleet.Stable);
    }

    // Callers go on asking from before the start until after the end.
    private async Task<(Rollout Rollout, IReadOnlyList<Answer> Answers)> RollOutAsync(ProcessFleet fleet, string canary, RolloutPlan plan, string what)
    {
        IReadOnlyList<Answer> answers;
        Rollout rollout;
        await using (var load = new RequestLoad(fleet.Client, callers: 3))
        {
            var start = new StartRolloutRequest { Model = ProcessFleet.Model, Canary = canary, Plan = plan };
            rollout = (await fleet.Rollouts.StartRolloutAsync(start, cancellationToken: Cancellation)).Rollout;
            rollout = await EndOfAsync(fleet, rollout.Id);
            answers = load.Answers;
        }

        var after = await RequestLoad.AskAsync(fleet.Client, RequestLoad.Request(1_000_000));
        answers = [.. answers, after];
        Report(what, rollout, canary, answers);
        return (rollout, answers);
    }

    private static async Task<Rollout> EndOfAsync(ProcessFleet fleet, string id)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(Patience);
        using var watch = fleet.Rollouts.WatchRollout(new WatchRolloutRequest { Rollout = id }, cancellationToken: patience.Token);
        Rollout? last = null;
        try
        {
            while (await watch.ResponseStream.MoveNext(patience.Token))
            {
                last = watch.ResponseStream.Current.Rollout;
            }
        }
        catch (Grpc.Core.RpcException) when (patience.IsCancellationRequested)
        {
            throw new TimeoutException($"The rollout has not ended: {(last is null ? "nothing was seen of it" : Explain(last))}");
        }

        return last!;
    }

    // Harmed: got an error, or a picture that the damaged version made.
    private void Report(string what, Rollout rollout, string canary, IReadOnlyList<Answer> answers)
    {
        int errors = answers.Count(answer => answer.Error is not null);
        int canaryAnswers = answers.Count(answer => answer.Version == canary);
        double seconds = (rollout.EndedAt.ToDateTimeOffset() - rollout.CreatedAt.ToDateTimeOffset()).TotalSeconds;
        double sinceFirst = rollout.Verdicts.Count > 0 ? rollout.Verdicts[^1].SecondsSinceFirstCanary : 0;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what}: {rollout.State} after {seconds:0.0} s ({sinceFirst:0.0} s after the canary's first request), {answers.Count} requests, {errors} errors, "
            + $"{canaryAnswers} answered by the canary, {rollout.CanaryCounts?.Rescued} rescued, {rollout.Pairs} pairs; {rollout.Verdicts.LastOrDefault()?.Reason ?? rollout.Reason}"));
    }

    private static string Explain(Rollout rollout) =>
        $"state {rollout.State}, step {rollout.Step}: {rollout.Reason}; {rollout.Pairs} pairs, canary {rollout.CanaryCounts}, replicas {rollout.Replicas}, tests {rollout.Tests}"
            .Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);
}
