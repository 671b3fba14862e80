using Fleet.Hosting;

namespace Fleet.Serving.Tests;

public sealed class DeviceQueueTests
{
    [Fact]
    public async Task RunAsync_ManyCallers_RunsOneAtATimeOnOnePreparedThread()
    {
        int prepared = 0;
        int inside = 0;
        await using var queue = new DeviceQueue("test", 100, () => prepared = Environment.CurrentManagedThreadId);

        var results = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => queue.RunAsync(
            () =>
            {
                Interlocked.Increment(ref inside).Should().Be(1);
                Thread.Yield();
                Interlocked.Decrement(ref inside);
                return (i, Environment.CurrentManagedThreadId);
            },
            TestContext.Current.CancellationToken)));

        results.Select(r => r.i).Should().Equal(Enumerable.Range(0, 50));
        results.Should().AllSatisfy(r => r.CurrentManagedThreadId.Should().Be(prepared));
    }

    [Fact]
    public async Task RunAsync_FullQueue_RefusesAtOnceWithARetryHint()
    {
        var queue = new DeviceQueue("test", 1, () => { });
        using var blocker = new ManualResetEventSlim();
        using var running = new ManualResetEventSlim();
        var first = queue.RunAsync(() => { running.Set(); blocker.Wait(); return 1; }, TestContext.Current.CancellationToken);
        running.Wait(TestContext.Current.CancellationToken);
        var second = queue.RunAsync(() => 2, TestContext.Current.CancellationToken);

        var third = () => queue.RunAsync(() => 3, TestContext.Current.CancellationToken);

        (await third.Should().ThrowAsync<OverloadedException>()).Which.RetryAfter.Should().BePositive();
        blocker.Set();
        (await first).Should().Be(1);
        (await second).Should().Be(2);
        await queue.DisposeAsync();
        await third.Should().ThrowAsync<UnavailableException>();
    }

    [Fact]
    public async Task RunAsync_FailureOrCancellation_LeavesTheQueueWorking()
    {
        await using var queue = new DeviceQueue("test", 8, () => { });
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await FluentActions.Awaiting(() => queue.RunAsync<int>(() => throw new InvalidOperationException("x"), TestContext.Current.CancellationToken)).Should().ThrowAsync<InvalidOperationException>();
        await FluentActions.Awaiting(() => queue.RunAsync(() => 1, cancelled.Token)).Should().ThrowAsync<OperationCanceledException>();
        (await queue.RunAsync(() => 2, TestContext.Current.CancellationToken)).Should().Be(2);
    }
}
