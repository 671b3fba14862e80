using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Jobs;
using Fleet.Gateway.Requests;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Fleet.Gateway.Tests.Jobs;

public sealed class JobTableTests : IDisposable
{
    private static readonly GatewayOptions Settings = new()
    {
        KeepFinishedFor = TimeSpan.FromMinutes(10),
        KeepFinishedBytes = 2500,
        CallerGrace = TimeSpan.FromSeconds(5),
    };

    private readonly FakeTimeProvider time = new();
    private readonly JobTable table;
    private int runs;
    private Func<CancellationToken, Task> work = _ => Task.CompletedTask;

    public JobTableTests()
    {
        table = new JobTable(RunAsync, Options.Create(Settings), time, NullLogger<JobTable>.Instance);
    }

    [Fact]
    public async Task Open_FinishedJob_IsForgottenAfterItsTime()
    {
        await FinishAsync("a");
        time.Advance(Settings.KeepFinishedFor - TimeSpan.FromSeconds(1));
        await FinishAsync("a");
        runs.Should().Be(1);

        time.Advance(TimeSpan.FromSeconds(1));
        await FinishAsync("a");

        runs.Should().Be(2);
    }

    [Fact]
    public async Task Open_FinishedJobsBeyondTheMemory_OldestIsForgotten()
    {
        await FinishAsync("a");
        await FinishAsync("b");
        await FinishAsync("c"); // each holds a little over 1000 bytes

        await FinishAsync("b");
        await FinishAsync("c");
        runs.Should().Be(3);
        await FinishAsync("a");
        runs.Should().Be(4);
    }

    [Fact]
    public async Task Leave_LastCaller_CancelsAfterTheGraceOnly()
    {
        var cancelled = new TaskCompletionSource();
        work = token =>
        {
            token.Register(() => cancelled.TrySetResult());
            return cancelled.Task;
        };
        table.Open(Order("a"), DateTime.MaxValue).Dispose();

        time.Advance(Settings.CallerGrace - TimeSpan.FromMilliseconds(1));
        cancelled.Task.IsCompleted.Should().BeFalse();
        time.Advance(TimeSpan.FromMilliseconds(1));

        await cancelled.Task.WaitAsync(TestFleet.Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Leave_CallerReturnsWithinTheGrace_JobRunsOn()
    {
        var end = new TaskCompletionSource();
        work = token => end.Task.WaitAsync(token);
        table.Open(Order("a"), DateTime.MaxValue).Dispose();
        time.Advance(Settings.CallerGrace / 2);

        using var back = table.Open(Order("a"), DateTime.MaxValue);
        time.Advance(Settings.CallerGrace * 2);
        end.SetResult();

        await ReadAsync(back);
        runs.Should().Be(1);
    }

    [Fact]
    public async Task Open_AbandonedIdAgain_IsANewJob()
    {
        var end = new TaskCompletionSource();
        var begun = new TaskCompletionSource();
        work = _ =>
        {
            begun.TrySetResult();
            return end.Task; // does not hear its cancellation
        };
        table.Open(Order("a"), DateTime.MaxValue).Dispose();
        await begun.Task;
        time.Advance(Settings.CallerGrace);

        using var again = table.Open(Order("a"), DateTime.MaxValue);
        end.SetResult();

        await ReadAsync(again);
        runs.Should().Be(2);
    }

    public void Dispose() => table.Dispose();

    private async Task RunAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref runs);
        await work(cancellationToken);
        job.Events.Publish(new GenerateResponse { Image = new ImageChunk { Data = ByteString.CopyFrom(new byte[1000]) } });
    }

    private async Task FinishAsync(string id)
    {
        using var caller = table.Open(Order(id), DateTime.MaxValue);
        await ReadAsync(caller);
    }

    private static async Task ReadAsync(JobCaller caller) =>
        (await caller.ReadAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken)).Should().ContainSingle();

    private static GenerationOrder Order(string id) => new(id, GenerationParameters.Parse(new GenerateStart { Prompt = "a fox" }), null);
}
