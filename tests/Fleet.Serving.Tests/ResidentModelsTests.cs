namespace Fleet.Serving.Tests;

public sealed class ResidentModelsTests
{
    [Fact]
    public async Task AcquireAsync_ManyAtOnce_LoadsOnce()
    {
        int loads = 0;
        await using var models = new ResidentModels<Model>(async (version, _) => { Interlocked.Increment(ref loads); await Task.Yield(); return new Model(version); }, 1);

        var leases = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => models.AcquireAsync("a", TestContext.Current.CancellationToken)));

        loads.Should().Be(1);
        leases.Select(l => l.Model).Distinct().Should().ContainSingle();
        foreach (var lease in leases)
        {
            lease.Dispose();
        }
    }

    [Fact]
    public async Task Release_MoreIdleThanCapacity_UnloadsTheLeastRecentlyUsedOnly()
    {
        await using var models = new ResidentModels<Model>((version, _) => Task.FromResult(new Model(version)), 1);
        var a = await models.AcquireAsync("a", TestContext.Current.CancellationToken);
        var b = await models.AcquireAsync("b", TestContext.Current.CancellationToken);
        var c = await models.AcquireAsync("c", TestContext.Current.CancellationToken);

        c.Dispose();
        a.Dispose(); // c was used more recently, so a goes

        models.Versions.Should().Equal("c", "b");
        a.Model.Disposed.Should().BeTrue();
        b.Model.Disposed.Should().BeFalse("it is in use");
        c.Model.Disposed.Should().BeFalse();
        b.Dispose();
        b.Dispose(); // disposing a lease again changes nothing
        models.Versions.Should().Equal("c");
    }

    [Fact]
    public async Task AcquireAsync_AfterAFailedLoad_TriesAgain()
    {
        int loads = 0;
        await using var models = new ResidentModels<Model>((version, _) => ++loads == 1 ? throw new IOException("gone") : Task.FromResult(new Model(version)), 1);

        await FluentActions.Awaiting(() => models.AcquireAsync("a", TestContext.Current.CancellationToken)).Should().ThrowAsync<IOException>();

        using var lease = await models.AcquireAsync("a", TestContext.Current.CancellationToken);
        lease.Model.Version.Should().Be("a");
    }

    [Fact]
    public async Task AcquireAsync_FirstCallerGivesUp_OthersStillGetTheModel()
    {
        var loading = new TaskCompletionSource<Model>();
        await using var models = new ResidentModels<Model>((_, _) => loading.Task, 1);
        using var cancellation = new CancellationTokenSource();
        var first = models.AcquireAsync("a", cancellation.Token);
        var second = models.AcquireAsync("a", TestContext.Current.CancellationToken);

        await cancellation.CancelAsync();
        loading.SetResult(new Model("a"));

        await FluentActions.Awaiting(() => first).Should().ThrowAsync<OperationCanceledException>();
        using var lease = await second;
        lease.Model.Disposed.Should().BeFalse();
    }

    private sealed class Model(string version) : IDisposable
    {
        public string Version => version;

        public bool Disposed { get; private set; }

        public void Dispose() => Disposed = true;
    }
}
