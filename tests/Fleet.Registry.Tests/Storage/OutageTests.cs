using System.Collections.Concurrent;
using System.Diagnostics;
using Fleet.Contracts.Registry.V1;
using Fleet.Testing;
using Grpc.Core;
using Grpc.Health.V1;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Tests.Storage;

/// <summary>What happens to calls while the database is away, and afterwards.</summary>
public sealed class OutageTests : IAsyncLifetime
{
    private static readonly TimeSpan Quickly = TimeSpan.FromSeconds(10);

    private readonly TemporaryFolder folder = new();
    private readonly ConcurrentBag<string> acknowledged = [];
    private readonly ConcurrentBag<RpcException> failures = [];
    private LocalPostgres server = null!;
    private RunningRegistry registry = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        try
        {
            server = await LocalPostgres.StartAsync();
        }
        catch (InvalidOperationException exception)
        {
            Assert.Skip($"there is no PostgreSQL server to stop: {exception.Message}");
        }

        string database = $"--Registry:Database={server.ConnectionString};Timeout=2;Command Timeout=2";
        registry = await RunningRegistry.StartAsync(folder.Path, settings: [database]);
    }

    public async ValueTask DisposeAsync()
    {
        await (registry?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (server?.DisposeAsync() ?? ValueTask.CompletedTask);
        folder.Dispose();
    }

    [Fact]
    public async Task Database_KilledUnderLoadAndStartedAgain_LosesNothingThatWasAcknowledged()
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var load = Enumerable.Range(0, 8).Select(caller => WriteAsync(caller, enough.Token)).ToList();
        await UntilAsync(() => acknowledged.Count > 50);

        await server.KillAsync();
        await UntilAsync(() => failures.Count > 50);
        (await HealthAsync()).Should().Be(HealthCheckResponse.Types.ServingStatus.NotServing);

        await server.RestartAsync();
        int before = acknowledged.Count;
        await UntilAsync(() => acknowledged.Count > before + 50);
        await enough.CancelAsync();
        await Task.WhenAll(load);

        failures.Should().OnlyContain(failure => failure.StatusCode == StatusCode.Unavailable);
        (await HealthAsync()).Should().Be(HealthCheckResponse.Types.ServingStatus.Serving);
        var usages = await registry.Rpc.ListUsageAsync(new ListUsageRequest(), cancellationToken: Cancellation);
        acknowledged.Should().BeSubsetOf(usages.Usages.Select(usage => usage.Namespace));
        (await new V1.Audit.AuditClient(registry.Channel).VerifyLogAsync(new VerifyLogRequest(), cancellationToken: Cancellation)).Faults.Should().BeEmpty();
    }

    [Fact]
    public async Task Database_ThatHangs_MakesCallsFailQuickly_UntilItAnswersAgain()
    {
        await SetQuotaAsync("before");
        await server.FreezeAsync();
        try
        {
            var clock = Stopwatch.StartNew();
            var write = () => SetQuotaAsync("during");
            var read = async () => await registry.Rpc.ListAliasesAsync(new ListAliasesRequest(), cancellationToken: Cancellation);

            (await write.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.Unavailable);
            (await read.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.Unavailable);
            clock.Elapsed.Should().BeLessThan(2 * Quickly);
        }
        finally
        {
            await server.ThawAsync();
        }

        await SetQuotaAsync("after");
    }

    private async Task SetQuotaAsync(string name) =>
        await registry.Rpc.SetQuotaAsync(new SetQuotaRequest { Namespace = name, Bytes = 1 }, cancellationToken: Cancellation);

    private async Task WriteAsync(int caller, CancellationToken enough)
    {
        for (int i = 0; !enough.IsCancellationRequested; i++)
        {
            try
            {
                await SetQuotaAsync($"n{caller}-{i}").WaitAsync(Quickly, Cancellation);
                acknowledged.Add($"n{caller}-{i}");
            }
            catch (RpcException failure)
            {
                failures.Add(failure);
            }
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            clock.Elapsed.Should().BeLessThan(TimeSpan.FromMinutes(1));
            await Task.Delay(20, Cancellation); // the callers go on meanwhile
        }
    }

    private async Task<HealthCheckResponse.Types.ServingStatus> HealthAsync() =>
        (await new Health.HealthClient(registry.Channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancellation)).Status;
}
