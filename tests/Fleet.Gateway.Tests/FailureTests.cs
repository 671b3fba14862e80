using System.Security.Cryptography;
using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Event = Fleet.Contracts.Generation.V1.GenerateResponse.EventOneofCase;

namespace Fleet.Gateway.Tests;

public class FailureTests
{
    private static readonly GenerateStart Job = new() { RequestId = "job-1", Prompt = "a fox", Steps = 5, Seed = 1, Count = 2 };

    [Theory]
    [InlineData(nameof(Moment.Called), 0)]
    [InlineData(nameof(Moment.Step), 1)]
    [InlineData(nameof(Moment.Step), 4)]
    [InlineData(nameof(Moment.Chunk), 1)]
    [InlineData(nameof(Moment.Chunk), 2)]
    [InlineData(nameof(Moment.Chunk), 3)]
    [InlineData(nameof(Moment.Chunk), 5)]
    public async Task Generate_DenoiserHangsUp_SameBytesAndNoneTwice(string moment, int number)
    {
        await using var undisturbed = await TestFleet.StartAsync();
        await using var fleet = await TestFleet.StartAsync();
        fleet.Denoiser.At = FirstAttempt(Enum.Parse<Moment>(moment), number, happening => happening.Context.GetHttpContext().Abort());

        var events = await fleet.RunAsync(Job);

        ImageHashes(events).Should().Equal(ImageHashes(await undisturbed.RunAsync(Job)));
        events.Count(response => response.EventCase == Event.Accepted).Should().Be(1);
        events.Last().Receipt.Images.Should().HaveCount(2);
        fleet.Encoder.Requests.Should().ContainSingle("the embeddings are still there");
    }

    [Fact]
    public async Task Generate_DenoiserSaysUnavailable_IsTriedAgain()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Denoiser.At = FirstAttempt(Moment.Step, 2, _ => throw new RpcException(new Status(StatusCode.Unavailable, "the decoder went away")));

        var events = await fleet.RunAsync(Job);

        events.Where(response => response.Progress is not null).Select(response => response.Progress.Step).Should().Equal(1, 1, 2, 3, 4, 5);
        fleet.Denoiser.Jobs.Should().HaveCount(2);
    }

    [Fact]
    public async Task Generate_SecondAttemptDiffers_IsDataLossAndNotAMixture()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Denoiser.At = FirstAttempt(Moment.Chunk, 2, _ =>
        {
            fleet.Denoiser.Salt = "another kernel";
            throw new RpcException(new Status(StatusCode.Unavailable, "stopping after the first bytes"));
        });

        var refusal = await fleet.RefusalAsync(Job);

        refusal.StatusCode.Should().Be(StatusCode.DataLoss);
        refusal.Status.Detail.Should().StartWith("image 0 has 300000 bytes now");
    }

    [Fact]
    public async Task Generate_DenoiserNeverWorks_EndsAfterTheAttempts()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:StageAttempts=3");
        int calls = 0;
        fleet.Denoiser.At = _ =>
        {
            calls++;
            throw new RpcException(new Status(StatusCode.Unavailable, "no luck"));
        };

        var refusal = await fleet.RefusalAsync(Job);

        refusal.Status.Should().BeEquivalentTo(new
        {
            StatusCode = StatusCode.Unavailable,
            Detail = "The denoiser could not be used in 3 attempts: no luck",
        });
        calls.Should().Be(3);
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.NotFound)]
    public async Task Generate_StageRefuses_ItsWordsReachTheCallerAtOnce(StatusCode status)
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Encoder.Before = (_, _) => throw new RpcException(new Status(status, "prompt is not to my liking"));

        var refusal = await fleet.RefusalAsync(Job);

        refusal.Status.Should().BeEquivalentTo(new { StatusCode = status, Detail = "prompt is not to my liking" });
        fleet.Encoder.Requests.Should().ContainSingle();
    }

    [Fact]
    public async Task Generate_EncoderFailsOnce_IsTriedAgain()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Encoder.Before = (call, context) =>
        {
            if (call == 1)
            {
                context.GetHttpContext().Abort();
            }

            return Task.CompletedTask;
        };

        (await fleet.RunAsync(Job)).Last().Receipt.Should().NotBeNull();
        fleet.Encoder.Requests.Should().HaveCount(2);
    }

    [Fact]
    public async Task Generate_EncodingThePictureFailsOnce_SendsTheFilesAgain()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Decoder.Before = (call, _) =>
            call == 1 ? throw new RpcException(new Status(StatusCode.Unavailable, "restarting")) : Task.CompletedTask;

        await fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1, InitImage = new byte[] { 1, 2, 3 } });

        fleet.Decoder.Requests.Select(request => request.Files).Should().AllBeEquivalentTo(new byte[] { 1, 2, 3 }).And.HaveCount(2);
    }

    [Theory]
    [InlineData("Encoder")]
    [InlineData("Registry")]
    public async Task Generate_StageIsDown_IsUnavailableByName(string stage)
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:StageAttempts=2");
        await fleet.StopAsync(stage);

        var refusal = await fleet.RefusalAsync(Job);

        refusal.StatusCode.Should().Be(StatusCode.Unavailable);
        refusal.Status.Detail.Should().StartWith($"The {stage.ToLowerInvariant()} could not be used in 2 attempts");
    }

    [Fact]
    public async Task Generate_StageIsFull_RefusesWithItsRetryHint()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Denoiser.At = _ => throw Full(retryAfterMs: 1234);

        var refusal = await fleet.RefusalAsync(Job);

        refusal.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        refusal.Trailers.GetValue("retry-after-ms").Should().Be("1234");
        fleet.Denoiser.Jobs.Should().BeEmpty();
    }

    [Fact]
    public async Task Generate_StageIsFullAfterTheJobWasAccepted_WaitsForRoom()
    {
        await using var fleet = await TestFleet.StartAsync();
        fleet.Denoiser.At = happening => (happening.Attempt, happening.Moment, happening.Number) switch
        {
            (1, Moment.Step, 2) => throw new RpcException(new Status(StatusCode.Unavailable, "killed")),
            (2, Moment.Called, _) => throw Full(retryAfterMs: 20),
            _ => Task.CompletedTask,
        };

        (await fleet.RunAsync(Job)).Last().Receipt.Should().NotBeNull();
    }

    [Fact]
    public async Task Generate_RegistryDown_KnownReferencesGoOnWorking()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:ResolveCacheFor=00:00:00", "--Gateway:StageAttempts=1");
        await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 1 });
        await fleet.StopAsync("Registry");

        var known = await fleet.RunAsync(new GenerateStart { Prompt = "a cat", Steps = 1 });
        var unknown = await fleet.RefusalAsync(new GenerateStart { Prompt = "a cat", Model = "tiny-inpaint", Steps = 1 });

        known.Last().Receipt.Recipe.Version.Should().Be(RegistryPeer.Digest);
        unknown.StatusCode.Should().Be(StatusCode.Unavailable);
    }

    [Fact]
    public async Task Generate_SameModelSoonAgain_AsksTheRegistryOnce()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:ResolveCacheFor=01:00:00");

        await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 1 });
        await fleet.RunAsync(new GenerateStart { Prompt = "a cat", Steps = 1 });

        fleet.Registry.References.Should().ContainSingle().Which.Should().Be("tiny");
        fleet.Denoiser.ListCalls.Should().Be(1);
    }

    [Fact]
    public async Task Generate_DeadlinePasses_CrossesEveryHop()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:CallerGrace=00:00:00");
        DateTime encoderDeadline = default;
        fleet.Encoder.Before = (_, context) =>
        {
            encoderDeadline = context.Deadline;
            return Task.CompletedTask;
        };
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        var deadline = DateTime.UtcNow.AddSeconds(1);
        using var call = fleet.Call(Job, deadline);

        var read = () => call.ResponseStream.ReadAllAsync().ToListAsync().AsTask();

        (await read.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        await gate.Cancelled;
        encoderDeadline.Should().BeCloseTo(deadline, TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task Generate_SecondCallerHasMoreTime_JobOutlivesTheFirstDeadline()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:CallerGrace=00:00:00");
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        using var hasty = fleet.Call(Job, DateTime.UtcNow.AddSeconds(1));
        await gate.Reached;

        var patient = await fleet.RunAsync(Job);

        patient.Last().Receipt.Images.Should().HaveCount(2);
        fleet.Denoiser.Jobs.Should().HaveCount(2, "the first call to the denoiser carried the first deadline");
    }

    [Fact]
    public async Task Generate_TooManyJobs_RefusesWithARetryHintAndTakesJoiners()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:MaxRunningJobs=1");
        var gate = new Gate(fleet.Denoiser, Moment.Step, number: 2);
        var first = fleet.RunAsync(Job);
        await gate.Reached;

        var refusal = await fleet.RefusalAsync(new GenerateStart(Job) { RequestId = "job-2" });
        var joiner = fleet.RunAsync(Job);
        gate.Open();

        refusal.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        long.Parse(refusal.Trailers.GetValue("retry-after-ms")!).Should().BeInRange(100, 30_000);
        (await first).Last().Should().Be((await joiner).Last());
    }

    [Fact]
    public async Task Generate_CallerStopsReading_OthersFinishAndItsCallEnds()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:StalledAfter=00:00:00.2");
        var job = new GenerateStart(Job) { Count = 16 }; // more bytes than the windows of HTTP/2 take
        using var stalled = fleet.Call(job);

        var events = await fleet.RunAsync(job);
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken); // the pause is what the caller does wrong

        ImageHashes(events).Should().HaveCount(16);
        var read = () => stalled.ResponseStream.ReadAllAsync().ToListAsync().AsTask();
        (await read.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.Aborted);
    }

    private static Func<Happening, Task> FirstAttempt(Moment moment, int number, Action<Happening> fault) => happening =>
    {
        if (happening.Attempt == 1 && happening.Moment == moment && happening.Number == number)
        {
            fault(happening);
        }

        return Task.CompletedTask;
    };

    private static RpcException Full(int retryAfterMs) =>
        new(new Status(StatusCode.ResourceExhausted, "the queue is full"), new Metadata { { "retry-after-ms", $"{retryAfterMs}" } });

    // Joins chunks by offset, so that a gap or a byte sent twice shows.
    private static IEnumerable<string> ImageHashes(IEnumerable<GenerateResponse> events)
    {
        var images = new SortedDictionary<int, byte[]>();
        foreach (var chunk in events.Where(response => response.EventCase == Event.Image).Select(response => response.Image))
        {
            byte[] known = images.GetValueOrDefault(chunk.ImageIndex, []);
            chunk.Offset.Should().Be(known.Length);
            images[chunk.ImageIndex] = [.. known, .. chunk.Data.Span];
        }

        return images.Values.Select(image => Convert.ToHexString(SHA256.HashData(image)));
    }
}
