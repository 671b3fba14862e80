using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class TrafficStreamTestsOnSqlite() : TrafficStreamTests(TestDatabase.Sqlite);

public sealed class TrafficStreamTestsOnPostgres() : TrafficStreamTests(TestDatabase.Postgres);

public abstract class TrafficStreamTests(TestDatabase database) : RolloutTest(database)
{
    [Fact]
    public async Task WatchTraffic_SaysAtOnceWhatIsSo_AndEachChange()
    {
        using var watch = Registry.Traffic.WatchTraffic(new WatchTrafficRequest { Gateway = "g" }, cancellationToken: Cancellation);
        (await NextAsync(watch)).Models.Should().BeEmpty();

        var rollout = await BeginAsync();
        var traffic = (await NextAsync(watch)).Models.Should().ContainSingle().Subject;
        traffic.Should().Match<ModelTraffic>(model => model.Model == Model && model.Percent == 0 && model.Rollout == rollout.Id);
        traffic.Stable.Digest.Should().Be(Stable);
        traffic.Canary.Traits.Family.Should().Be("sd1");

        await ControlAsync(rollout, RolloutAction.Step);
        (await NextAsync(watch)).Models[0].Percent.Should().Be(5);
        await ControlAsync(rollout, RolloutAction.RollBack);
        (await NextAsync(watch)).Models[0].Percent.Should().Be(0);
        await PassAsync(seconds: 3);
        (await NextAsync(watch)).Models.Should().BeEmpty();
    }

    [Fact]
    public async Task WatchTraffic_WithoutChanges_IsHeardOfEveryTenSeconds()
    {
        using var watch = Registry.Traffic.WatchTraffic(new WatchTrafficRequest { Gateway = "g" }, cancellationToken: Cancellation);
        await NextAsync(watch);

        var next = NextAsync(watch);
        while (!next.IsCompleted)
        {
            Time.Advance(TimeSpan.FromSeconds(5)); // the stream may only now have begun to wait
            await Task.Yield();
        }

        (await next).Models.Should().BeEmpty();
    }

    [Fact]
    public async Task WatchTraffic_AtAnotherReplica_HearsOfAChangeWhenThatReplicaLooks()
    {
        var second = await StartAsync();
        using var watch = second.Traffic.WatchTraffic(new WatchTrafficRequest { Gateway = "g" }, cancellationToken: Cancellation);
        await NextAsync(watch);

        var rollout = await BeginAsync();
        await PassAsync(seconds: 0.5);

        (await NextAsync(watch)).Models.Should().ContainSingle().Which.Rollout.Should().Be(rollout.Id);
    }

    [Fact]
    public async Task WatchWarmups_ListsBothVersions_AndTheWatcherIsLive()
    {
        var rollout = await BeginAsync();
        using var watch = Registry.Traffic.WatchWarmups(new WatchWarmupsRequest { Stage = "denoiser", Replica = "slow" }, cancellationToken: Cancellation);
        (await NextAsync(watch)).Warmups.Select(warmup => warmup.Version).Should().Equal(Stable, Canary);

        await ReportReadyAsync(rollout);
        await PassAsync(seconds: 3);

        await ShouldBeAsync(rollout, RolloutState.Warming); // the slow one has said nothing, and it watches
        await ReportAsync(rollout, "denoiser", "slow", ReplicaState.Ready);
        await PassAsync(seconds: 0.5);
        await ShouldBeAsync(rollout, RolloutState.Stepping);
    }

    [Fact]
    public async Task WatchWarmups_OfAReplicaThatWentAway_IsNotWaitedFor()
    {
        var rollout = await BeginAsync();
        using (var watch = Registry.Traffic.WatchWarmups(new WatchWarmupsRequest { Stage = "decoder", Replica = "gone" }, cancellationToken: Cancellation))
        {
            await NextAsync(watch);
        }

        await PassAsync(seconds: 25);
        await ReportReadyAsync(rollout);
        await PassAsync(seconds: 0.5);

        await ShouldBeAsync(rollout, RolloutState.Stepping);
    }

    [Fact]
    public async Task WatchWarmups_ByNobody_IsRefused()
    {
        using var watch = Registry.Traffic.WatchWarmups(new WatchWarmupsRequest { Stage = "gateway", Replica = "x" }, cancellationToken: Cancellation);

        (await ShouldFailAsync(() => NextAsync(watch), StatusCode.InvalidArgument)).Status.Detail.Should().StartWith("stage is 'gateway'");
    }

    private static async Task<T> NextAsync<T>(AsyncServerStreamingCall<T> call)
    {
        (await call.ResponseStream.MoveNext(Cancellation)).Should().BeTrue();
        return call.ResponseStream.Current;
    }
}
