using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Denoiser;
using Grpc.Core;
using static Grpc.Core.StatusCode;

namespace Fleet.Stages.Tests.Denoiser;

public sealed class BadDenoiseRequestTests(StageFleet fleet)
{
    public static TheoryData<string, Action<DenoiseStart>, StatusCode, string> BadStarts => new()
    {
        { "request_id", start => start.RequestId = "", InvalidArgument, "request_id is empty" },
        { "version", start => start.Version = "v1", InvalidArgument, "version is 'v1'; give 'sha256:'" },
        { "unknown version", start => start.Version = "sha256:" + new string('0', 64), NotFound, "sha256:0000" },
        { "latent_height", start => start.LatentHeight = 0, InvalidArgument, "latent_height is 0; give a whole number from 1 to 512" },
        { "latent_width", start => start.LatentWidth = 513, InvalidArgument, "latent_width is 513" },
        { "count", start => start.Count = 17, InvalidArgument, "count is 17; give a whole number from 1 to 16" },
        { "negative seed", start => start.Seed = -1, InvalidArgument, "seed is -1" },
        { "seed beyond count", start => start.Seed = long.MaxValue, InvalidArgument, "seed is 9223372036854775807" },
        { "no steps", start => start.Steps = 0, InvalidArgument, "steps is 0; give a whole number from 1 to 1000" },
        { "steps", start => start.Steps = 10_000, InvalidArgument, "steps is 10000" },
        { "guidance NaN", start => start.GuidanceScale = double.NaN, InvalidArgument, "guidance_scale is NaN; give a number from 0 to 100" },
        { "guidance_rescale", start => start.GuidanceRescale = 1.5, InvalidArgument, "guidance_rescale is 1.5" },
        { "scheduler", start => start.Scheduler = new SchedulerChoice { Name = "magic" }, InvalidArgument, "Unknown scheduler 'magic'. Possible: " },
        { "sigmas", start => start.Scheduler = new SchedulerChoice { Name = "ddim", Sigmas = "karras" }, InvalidArgument, "ddim has no choice of sigmas" },
        { "steps beyond the schedule", start => (start.Steps, start.Scheduler) = (1000, new SchedulerChoice { Name = "ddim" }), InvalidArgument, "steps is 1000; 1000 steps of DDIMScheduler with leading spacing and steps_offset 1 begin at timestep 1000" },
        { "strength", start => start.Init = new InitImage { Strength = double.NaN }, InvalidArgument, "init.strength is NaN; give a number above 0" },
        { "mask without picture", start => start.Inpaint = true, InvalidArgument, "inpaint is True; set init" },
        { "output", start => start.Output = null, InvalidArgument, "output is not set" },
    };

    [Theory]
    [MemberData(nameof(BadStarts))]
    public async Task Denoise_BadStart_NamesFieldValueAndRemedy(string field, Action<DenoiseStart> spoil, StatusCode code, string message)
    {
        var start = DenoiseCall.Start(fleet.Version);
        spoil(start);

        var refused = await Refusal(DenoiseCall.Messages(start));

        refused.StatusCode.Should().Be(code, field);
        refused.Status.Detail.Should().Contain(message);
    }

    [Fact]
    public async Task Denoise_WidthOfAnotherTextEncoder_IsAFailedPrecondition()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.GuidanceScale = 1;

        var refused = await Refusal([new DenoiseRequest { Start = start }, .. DenoiseCall.Tensor("embeddings", new float[77 * 768], 1, 77, 768)]);

        refused.StatusCode.Should().Be(FailedPrecondition);
        refused.Status.Detail.Should().Contain("ends in 768").And.Contain("of width 32");
    }

    [Fact]
    public async Task Denoise_EmbeddingsThatAreNotFinite_AreAFailedPrecondition()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.GuidanceScale = 1;
        float[] values = DenoiseCall.Values(77 * 32, 1);
        values[100] = float.NaN;

        var refused = await Refusal([new DenoiseRequest { Start = start }, .. DenoiseCall.Tensor("embeddings", values, 1, 77, 32)]);

        refused.StatusCode.Should().Be(FailedPrecondition);
        refused.Status.Detail.Should().Contain("embeddings").And.Contain("NaN");
    }

    [Fact]
    public async Task Denoise_TensorsThatDoNotFitTheStart_SayWhatIsDue()
    {
        var start = DenoiseCall.Start(fleet.Version);
        var messages = DenoiseCall.Messages(start).ToList();
        var embeddings = messages.Where(m => m.Tensor is not null).Take(3).ToList();

        (await Refusal(messages.Skip(1))).Status.Detail.Should().Contain("start is not set; send it as the first message");
        (await Refusal(messages.Take(4))).Status.Detail.Should().Contain("send 'negative_embeddings' too");
        (await Refusal(messages.Take(3))).Status.Detail.Should().Contain("cut off");
        (await Refusal([messages[0], .. embeddings, .. embeddings])).Status.Detail.Should().Contain("once");
        (await Refusal([messages[0], .. DenoiseCall.Tensor("noise", new float[4], 4)])).Status.Detail.Should().Contain("tensor.header.name is 'noise'");
        (await Refusal([messages[0], .. DenoiseCall.Tensor("embeddings", new float[76 * 32], 1, 76, 32)])).Status.Detail
            .Should().Contain("embeddings.shape is '(1, 76, 32)'; give (1, tokens, width) with tokens a multiple of 77");
        (await Refusal([messages[0], messages[1], new DenoiseRequest { Tensor = new TensorChunk { Frame = new TensorFrame { Offset = 64, Data = Google.Protobuf.ByteString.CopyFrom(1) } } }]))
            .Status.Detail.Should().Contain("frame.offset is 64; expected 0");
    }

    [Fact]
    public async Task Denoise_FullQueue_RefusesAtOnceWithARetryHint()
    {
        await using var host = await fleet.StartStageAsync(
            DenoiserHost.Create, $"--Decoder:Address={fleet.DecoderAddress}", "--Denoiser:MaxRunningPictures=1", "--Slice:QueueCapacity=1");
        using var channel = fleet.Open(host);
        var endless = DenoiseCall.Start(fleet.Version);
        endless.Steps = 999;
        endless.Scheduler = new SchedulerChoice { Name = "ddim" };
        using var first = await BeginAsync(channel, endless, until: response => response.Progress is { Step: > 0 });
        using var second = await BeginAsync(channel, endless, until: response => response.Accepted is not null);

        var refused = (await FluentActions.Awaiting(() => DenoiseCall.RunAsync(channel, DenoiseCall.Messages(endless))).Should().ThrowAsync<RpcException>()).Which;

        refused.StatusCode.Should().Be(ResourceExhausted);
        long.Parse(refused.Trailers.GetValue("retry-after-ms")!).Should().BePositive();
    }

    [Fact]
    public async Task Denoise_DecoderIsGone_IsUnavailable()
    {
        await using var host = await fleet.StartStageAsync(DenoiserHost.Create, "--Decoder:Address=http://127.0.0.1:9");
        using var channel = fleet.Open(host);

        var refused = await FluentActions.Awaiting(() => DenoiseCall.RunAsync(channel, DenoiseCall.Messages(DenoiseCall.Start(fleet.Version))))
            .Should().ThrowAsync<RpcException>();

        refused.Which.StatusCode.Should().Be(Unavailable);
    }

    private async Task<RpcException> Refusal(IEnumerable<DenoiseRequest> messages) =>
        (await FluentActions.Awaiting(() => DenoiseCall.RunAsync(fleet.Denoiser, messages)).Should().ThrowAsync<RpcException>()).Which;

    private static async Task<AsyncDuplexStreamingCall<DenoiseRequest, DenoiseResponse>> BeginAsync(
        Grpc.Net.Client.GrpcChannel channel, DenoiseStart start, Predicate<DenoiseResponse> until)
    {
        var call = new Contracts.Denoiser.V1.Denoiser.DenoiserClient(channel).Denoise();
        foreach (var message in DenoiseCall.Messages(start))
        {
            await call.RequestStream.WriteAsync(message, TestContext.Current.CancellationToken);
        }

        await call.RequestStream.CompleteAsync();
        while (await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken) && !until(call.ResponseStream.Current))
        {
        }

        return call;
    }
}
