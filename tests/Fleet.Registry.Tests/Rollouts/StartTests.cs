using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Tests.Storage;
using Grpc.Core;

namespace Fleet.Registry.Tests.Rollouts;

public sealed class StartTestsOnSqlite() : StartTests(TestDatabase.Sqlite);

public sealed class StartTestsOnPostgres() : StartTests(TestDatabase.Postgres);

public abstract class StartTests(TestDatabase database) : RolloutTest(database)
{
    [Fact]
    public async Task Start_ByManyAtOnce_LetsOneWin()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            try
            {
                await BeginAsync();
                return StatusCode.OK;
            }
            catch (RpcException exception)
            {
                return exception.StatusCode;
            }
        }));

        outcomes.Count(code => code == StatusCode.OK).Should().Be(1);
        outcomes.Count(code => code == StatusCode.AlreadyExists).Should().Be(9);
    }

    [Fact]
    public async Task Start_WhileAnotherRuns_NamesIt()
    {
        var running = await BeginAsync();

        (await ShouldFailAsync(() => BeginAsync(), StatusCode.AlreadyExists)).Status.Detail
            .Should().Be($"model 'fox' has a rollout that has not ended: {running.Id}");
    }

    [Fact]
    public async Task Start_OfWhatIsStable_IsRefused()
    {
        Canary = Stable;

        (await ShouldFailAsync(() => BeginAsync(), StatusCode.FailedPrecondition)).Status.Detail
            .Should().Be($"'fox@stable' points at {Stable} already");
    }

    [Fact]
    public async Task Start_OfADeprecatedVersion_IsRefused()
    {
        var request = new DeprecateVersionRequest { Model = Model, Version = Canary, Reason = "it draws six fingers" };
        await Registry.Rpc.DeprecateVersionAsync(request, cancellationToken: Cancellation);

        (await ShouldFailAsync(() => BeginAsync(), StatusCode.FailedPrecondition)).Status.Detail
            .Should().Be($"{Canary} is deprecated: it draws six fingers");
    }

    [Fact]
    public async Task Delete_OfTheCanary_IsRefusedWhileTheRolloutRuns()
    {
        var rollout = await BeginAsync();
        var request = new DeleteVersionRequest { Model = Model, Version = Canary };

        (await ShouldFailAsync(async () => await Registry.Rpc.DeleteVersionAsync(request, cancellationToken: Cancellation), StatusCode.FailedPrecondition))
            .Status.Detail.Should().Contain($"rollout {rollout.Id}");
        await ControlAsync(rollout, RolloutAction.RollBack);
        await PassAsync(seconds: 3);

        await Registry.Rpc.DeleteVersionAsync(request, cancellationToken: Cancellation);
        (await GetAsync(rollout.Id)).Canary.Should().Be(Canary);
    }

    [Fact]
    public async Task Start_WithFaultsInThePlan_NamesThem() =>
        (await ShouldFailAsync(() => BeginAsync(Plan(5, 5)), StatusCode.InvalidArgument)).Status.Detail
            .Should().Contain("steps[1].percent is 5; give more than the 5 of the step before");

    [Fact]
    public async Task Start_WithoutAMetricThatThePlanAsksFor_IsRefused()
    {
        var plan = Plan(5);
        plan.Tests = new TestLimits { MinMetrics = { ["clip-score"] = 0.3 } };

        (await ShouldFailAsync(() => BeginAsync(plan), StatusCode.FailedPrecondition)).Status.Detail
            .Should().Be($"{Canary} has no metric 'clip-score', and the plan asks for at least 0.3");
    }

    [Fact]
    public async Task Start_OfAVersionThatDoesNotExist_IsNotFound()
    {
        Canary = "sha256:" + new string('0', 64);

        await ShouldFailAsync(() => BeginAsync(), StatusCode.NotFound);
    }

    [Fact]
    public async Task List_GivesPagesNewestFirst()
    {
        var first = await BeginAsync();
        await ControlAsync(first, RolloutAction.RollBack);
        await PassAsync(seconds: 3);
        var second = await BeginAsync();

        var page = await ListAsync(new ListRolloutsRequest { PageSize = 1 });
        page.Rollouts.Select(rollout => rollout.Id).Should().Equal(second.Id);
        page = await ListAsync(new ListRolloutsRequest { PageSize = 1, PageToken = page.NextPageToken });
        page.Rollouts.Select(rollout => rollout.Id).Should().Equal(first.Id);
        page.NextPageToken.Should().BeEmpty();
        (await ListAsync(new ListRolloutsRequest { RunningOnly = true, Model = Model })).Rollouts.Select(rollout => rollout.Id).Should().Equal(second.Id);
        (await GetAsync(Model)).Id.Should().Be(second.Id);
    }

    [Fact]
    public async Task Get_AnUnknownRollout_IsNotFound() =>
        (await ShouldFailAsync(() => GetAsync("ro-unknown"), StatusCode.NotFound)).Status.Detail.Should().Contain("'ro-unknown'");

    private async Task<ListRolloutsResponse> ListAsync(ListRolloutsRequest request) =>
        await Registry.Rollouts.ListRolloutsAsync(request, cancellationToken: Cancellation);
}
