using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;
using Event = Fleet.Contracts.Generation.V1.GenerateResponse.EventOneofCase;

namespace Fleet.Gateway.Tests;

public class IdempotencyTests
{
    private static readonly GenerateStart Job = new() { RequestId = "job-1", Prompt = "a fox", Steps = 6, Seed = 1 };

    [Fact]
    public async Task Generate_SameIdWhileRunning_JoinsAndSeesTheLatestProgressOnly()
    {
        await using var fleet = await TestFleet.StartAsync();
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 4);
        using var first = fleet.Call(Job);
        await gate.Reached;
        await ReadUntilAsync(first, response => response.Progress?.Step == 3);

        using var second = fleet.Call(Job);
        var joined = await ReadUntilAsync(second, response => response.Progress is not null);
        gate.Open();
        var rest = await second.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        joined.Select(response => response.EventCase).Should().Equal(Event.Accepted, Event.Progress);
        joined[0].Accepted.Attached.Should().BeTrue();
        joined[1].Progress.Step.Should().Be(3);
        rest.Select(response => response.EventCase).Should().EndWith([Event.Image, Event.Image, Event.Image, Event.Receipt]);
        fleet.Denoiser.Jobs.Should().ContainSingle();
    }

    [Fact]
    public async Task Generate_SameIdAfterTheEnd_ReplaysTheSameBytes()
    {
        await using var fleet = await TestFleet.StartAsync();
        var first = await fleet.RunAsync(Job);

        var second = await fleet.RunAsync(Job);

        second.Select(response => response.EventCase).Should().Equal(
            Event.Accepted, Event.Progress, Event.Image, Event.Image, Event.Image, Event.Receipt);
        second[0].Accepted.Attached.Should().BeTrue();
        second.Where(IsImage).Should().Equal(first.Where(IsImage));
        second.Last().Should().Be(first.Last());
        fleet.Denoiser.Jobs.Should().ContainSingle();
    }

    [Fact]
    public async Task Generate_TwoAtOnceWithOneId_MakeOnePicture()
    {
        await using var fleet = await TestFleet.StartAsync();

        var both = await Task.WhenAll(fleet.RunAsync(Job), fleet.RunAsync(Job));

        both[0].Where(IsImage).Should().Equal(both[1].Where(IsImage));
        both.Select(events => events[0].Accepted.Attached).Should().BeEquivalentTo([false, true]);
        fleet.Denoiser.Jobs.Should().ContainSingle();
    }

    [Theory]
    [InlineData("""{"prompt": "a cat"}""", "prompt")]
    [InlineData("""{"steps": 7}""", "steps")]
    [InlineData("""{"seed": "2"}""", "seed")]
    [InlineData("""{"guidanceScale": 3}""", "guidance_scale")]
    [InlineData("""{"scheduler": {"name": "euler"}}""", "scheduler.name")]
    [InlineData("""{"previewInterval": 1}""", "preview_interval")]
    public async Task Generate_SameIdOtherParameters_NamesTheField(string difference, string field)
    {
        await using var fleet = await TestFleet.StartAsync();
        await fleet.RunAsync(Job);
        var other = Job.Clone();
        other.MergeFrom(GenerateStart.Parser.ParseJson(difference));

        var refusal = await fleet.RefusalAsync(other);

        refusal.Status.Should().BeEquivalentTo(new
        {
            StatusCode = StatusCode.AlreadyExists,
            Detail = $"request_id 'job-1' belongs to a generation with another {field}; use a new id, or send the same parameters.",
        });
    }

    [Fact]
    public async Task Generate_SameIdOtherInitImage_IsRefused()
    {
        await using var fleet = await TestFleet.StartAsync();
        var request = new GenerationRequest { Prompt = "a fox", RequestId = "job-1", Steps = 1, InitImage = new byte[] { 1, 2 } };
        await fleet.GenerateAsync(request);

        var run = () => fleet.GenerateAsync(request with { InitImage = new byte[] { 1, 3 } });

        await run.Should().ThrowAsync<FleetConflictException>().WithMessage("*another init image*");
    }

    [Fact]
    public async Task Generate_LastCallerLeaves_CancelsTheStages()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:CallerGrace=00:00:00");
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        var call = fleet.Call(Job);
        await gate.Reached;

        call.Dispose();

        await gate.Cancelled;
    }

    [Fact]
    public async Task Generate_OneOfTwoCallersLeaves_GoesOn()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:CallerGrace=00:00:00");
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        var first = fleet.Call(Job);
        await ReadUntilAsync(first, response => response.Progress?.Step == 1);
        using var second = fleet.Call(Job);
        await ReadUntilAsync(second, response => response.Progress?.Step == 1);

        first.Dispose();
        gate.Open();

        var rest = await second.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
        rest.Last().Receipt.Should().NotBeNull();
    }

    [Fact]
    public async Task Generate_CallerComesBackWithinTheGrace_FindsItsJob()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:CallerGrace=00:01:00");
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        var first = fleet.Call(Job);
        await gate.Reached;
        first.Dispose();

        var second = fleet.RunAsync(Job);
        gate.Open();

        (await second).Last().Receipt.Should().NotBeNull();
        fleet.Denoiser.Jobs.Should().ContainSingle();
    }

    [Fact]
    public async Task CancelGeneration_Running_EndsAllCallersAndTheStages()
    {
        await using var fleet = await TestFleet.StartAsync();
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        var callers = new[] { fleet.RunAsync(Job), fleet.RunAsync(Job) };
        await gate.Reached;

        bool cancelled = await fleet.Client.CancelAsync("job-1", TestContext.Current.CancellationToken);

        cancelled.Should().BeTrue();
        await gate.Cancelled;
        foreach (var caller in callers)
        {
            var wait = () => caller;
            (await wait.Should().ThrowAsync<RpcException>()).Which.Status.Should().BeEquivalentTo(new
            {
                StatusCode = StatusCode.Cancelled,
                Detail = "The generation 'job-1' was cancelled by CancelGeneration.",
            });
        }
    }

    [Fact]
    public async Task CancelGeneration_FinishedOrUnknown_IsFalse()
    {
        await using var fleet = await TestFleet.StartAsync();
        await fleet.RunAsync(Job);

        (await fleet.Client.CancelAsync("job-1", TestContext.Current.CancellationToken)).Should().BeFalse();
        (await fleet.Client.CancelAsync("job-2", TestContext.Current.CancellationToken)).Should().BeFalse();
    }

    [Fact]
    public async Task Generate_SameIdAfterAFailure_TriesAgain()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Denoiser.At = happening => happening.Attempt == 1
            ? throw new RpcException(new Status(StatusCode.FailedPrecondition, "weights are damaged"))
            : Task.CompletedTask;
        (await fleet.RefusalAsync(Job)).Status.Detail.Should().Be("weights are damaged");

        var second = await fleet.RunAsync(Job);

        second[0].Accepted.Attached.Should().BeFalse();
        second.Last().Receipt.Should().NotBeNull();
    }

    private static bool IsImage(GenerateResponse response) => response.EventCase == Event.Image;

    private static async Task<List<GenerateResponse>> ReadUntilAsync(
        AsyncDuplexStreamingCall<GenerateRequest, GenerateResponse> call, Func<GenerateResponse, bool> enough)
    {
        var read = new List<GenerateResponse>();
        while (await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken))
        {
            read.Add(call.ResponseStream.Current);
            if (enough(read[^1]))
            {
                break;
            }
        }

        return read;
    }
}
