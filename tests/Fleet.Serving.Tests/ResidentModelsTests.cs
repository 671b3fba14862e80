using System.Diagnostics;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;

namespace Fleet.Serving.Tests;

public sealed class ResidentModelsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AcquireAsync_ManyAtOnce_LoadsOnce()
    {
        int loads = 0;
        await using var models = Models(async version => { Interlocked.Increment(ref loads); await Task.Yield(); return new Model(version); });

        var leases = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => models.AcquireAsync("a", Cancellation)));

        loads.Should().Be(1);
        leases.Select(l => l.Model.Loaded).Distinct().Should().ContainSingle();
        Array.ForEach(leases, lease => lease.Dispose());
    }

    [Fact]
    public async Task AcquireAsync_OfALoadedVersion_IsNotColdAndTakesLessThanAMillisecond()
    {
        await using var models = Models(version => Task.FromResult(new Model(version)));
        (await models.AcquireAsync("a", Cancellation)).Cold.Should().BeTrue();
        var times = new List<TimeSpan>();

        for (int i = 0; i < 100; i++)
        {
            long start = Stopwatch.GetTimestamp();
            using var lease = await models.AcquireAsync("a", Cancellation);
            times.Add(Stopwatch.GetElapsedTime(start));
            lease.Cold.Should().BeFalse();
        }

        times.Order().ElementAt(50).Should().BeLessThan(TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task AcquireAsync_VersionsOfEqualContent_ShareAModelUnderTheirOwnNames()
    {
        int loads = 0;
        await using var models = Models(version => { loads++; return Task.FromResult(new Model(version)); }, contentOf: _ => "same");

        using var a = await models.AcquireAsync("a", Cancellation);
        using var b = await models.AcquireAsync("b", Cancellation);

        loads.Should().Be(1);
        (a.Model.Version, b.Model.Version).Should().Be(("a", "b"));
        a.Model.Loaded.Should().BeSameAs(b.Model.Loaded);
        (a.Report, b.Report).Should().Be((new LoadReport(100, 10), new LoadReport(0, 110)));
    }

    [Fact]
    public async Task AcquireAsync_VersionsOfEqualContentThatCannotBeLoaded_EachHearOfTheirOwn()
    {
        var first = new TaskCompletionSource<Model>();
        await using var models = Models(
            version => version == "a" ? first.Task : throw new IOException($"{version} is damaged"), contentOf: _ => "same");
        var a = models.AcquireAsync("a", Cancellation);
        var b = models.AcquireAsync("b", Cancellation);

        first.SetException(new IOException("a is damaged"));

        await FluentActions.Awaiting(() => a).Should().ThrowAsync<IOException>().WithMessage("a is damaged");
        await FluentActions.Awaiting(() => b).Should().ThrowAsync<IOException>().WithMessage("b is damaged");
    }

    [Fact]
    public async Task Release_MoreIdleThanCapacity_UnloadsTheLeastRecentlyUsedOnly()
    {
        await using var models = Models(version => Task.FromResult(new Model(version)));
        var a = await models.AcquireAsync("a", Cancellation);
        var b = await models.AcquireAsync("b", Cancellation);
        var c = await models.AcquireAsync("c", Cancellation);

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
    public async Task AcquireAsync_WithoutMemory_UnloadsIdleModelsUntilThereIsSome()
    {
        var idle = new List<Model>();
        await using var models = Models(
            version => idle.Count == 3 && !idle[1].Disposed ? throw new WeightMemoryException("no room", fits: true) : Task.FromResult(new Model(version)), capacity: 9);
        foreach (string version in (string[])["a", "b", "c"])
        {
            using var lease = await models.AcquireAsync(version, Cancellation);
            idle.Add(lease.Model.Loaded);
        }

        using var last = await models.AcquireAsync("d", Cancellation);

        idle.Select(model => model.Disposed).Should().Equal(true, true, false);
        models.Versions.Should().Equal("d", "c");
    }

    [Fact]
    public async Task AcquireAsync_WithoutMemoryAndNothingIdle_RefusesThisLoadOnlyAndForNow()
    {
        await using var models = Models(version => version == "b" ? throw new WeightMemoryException("5 bytes of 4", fits: true) : Task.FromResult(new Model(version)));
        using var inUse = await models.AcquireAsync("a", Cancellation);

        var acquire = () => models.AcquireAsync("b", Cancellation);

        (await acquire.Should().ThrowAsync<OverloadedException>().WithMessage("*b cannot be loaded now: 5 bytes of 4*")).Which.RetryAfter.Should().BePositive();
        inUse.Model.Disposed.Should().BeFalse();
        models.Versions.Should().Equal("a");
    }

    [Fact]
    public async Task AcquireAsync_OfWhatNeverFits_RefusesForGoodAndUnloadsNothing()
    {
        await using var models = Models(version => version == "b" ? throw new WeightMemoryException("5 bytes of 4", fits: false) : Task.FromResult(new Model(version)));
        (await models.AcquireAsync("a", Cancellation)).Dispose();

        var acquire = () => models.AcquireAsync("b", Cancellation);

        await acquire.Should().ThrowAsync<PreconditionException>().WithMessage("*5 bytes of 4*");
        models.Versions.Should().Equal("a");
    }

    [Fact]
    public async Task AcquireAsync_AfterAFailedLoad_TriesAgain()
    {
        int loads = 0;
        await using var models = Models(version => ++loads == 1 ? throw new IOException("gone") : Task.FromResult(new Model(version)));

        await FluentActions.Awaiting(() => models.AcquireAsync("a", Cancellation)).Should().ThrowAsync<IOException>();

        using var lease = await models.AcquireAsync("a", Cancellation);
        lease.Model.Version.Should().Be("a");
    }

    [Fact]
    public async Task AcquireAsync_FirstCallerGivesUp_OthersStillGetTheModel()
    {
        var loading = new TaskCompletionSource<Model>();
        await using var models = Models(_ => loading.Task);
        using var cancellation = new CancellationTokenSource();
        var first = models.AcquireAsync("a", cancellation.Token);
        var second = models.AcquireAsync("a", Cancellation);

        await cancellation.CancelAsync();
        loading.SetResult(new Model("a"));

        await FluentActions.Awaiting(() => first).Should().ThrowAsync<OperationCanceledException>();
        using var lease = await second;
        lease.Model.Disposed.Should().BeFalse();
    }

    [Fact]
    public async Task Unload_DisposesTheModelBeforeWhatItWasLoadedFrom()
    {
        var order = new List<string>();
        var model = new Model("a", () => order.Add("model"));
        await using var models = new ResidentModels<Model>(
            (version, _) => Task.FromResult(version),
            (_, _) => Task.FromResult(new LoadedModel<Model>(model, new LoadReport(0, 0), new Ending(() => order.Add("weights")), new Ending(() => order.Add("files")))),
            1);

        (await models.AcquireAsync("a", Cancellation)).Dispose();
        await models.DisposeAsync();

        order.Should().Equal("model", "weights", "files");
    }

    private static ResidentModels<Model> Models(Func<string, Task<Model>> load, int capacity = 1, Func<string, string>? contentOf = null) => new(
        (version, _) => Task.FromResult(contentOf?.Invoke(version) ?? version),
        async (version, _) => new LoadedModel<Model>(await load(version), new LoadReport(100, 10)),
        capacity);

    private sealed class Model(string version, Action? disposing = null, Model? loaded = null) : IStageModel<Model>
    {
        public string Version => version;

        public Model Loaded => loaded ?? this;

        public bool Disposed => loaded?.Disposed ?? disposed;

        private bool disposed;

        public Model For(string version) => new(version, null, Loaded);

        public void Dispose()
        {
            disposing?.Invoke();
            disposed = true;
        }
    }

    private sealed class Ending(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
