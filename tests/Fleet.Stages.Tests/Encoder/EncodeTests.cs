using Fleet.Contracts.Encoder.V1;
using Fleet.Encoder;
using Fleet.Serving;
using Fleet.Testing;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Extensions.DependencyInjection;

namespace Fleet.Stages.Tests.Encoder;

public sealed class EncodeTests(StageFleet fleet)
{
    [Fact]
    public async Task Encode_Prompts_StreamsAcceptedThenTensorsThenDone()
    {
        var call = await EncodeAsync(Request("a cat", "blurry"));

        call.Responses[0].Accepted.Version.Should().Be(fleet.Version);
        call.Tensor("embeddings").Shape.Should().Equal(1, 77, 32);
        call.Tensor("negative_embeddings").Shape.Should().Equal(1, 77, 32);
        call.Done.Chunks.Should().Be(1);
        call.Done.PromptTokens.Should().Be(3); // a ca t
        call.Done.ComputeUs.Should().BePositive();
    }

    [Theory]
    [InlineData("sd1_euler")]
    [InlineData("sd1_clip_skip")]
    public async Task Encode_PromptsOfAGoldenRun_GivesTheReferencesEmbeddings(string id)
    {
        using var golden = new GoldenPipeline(id);
        var request = Request(golden.Prompt, golden.NegativePrompt);
        request.ClipSkip = golden.ClipSkip;

        var call = await EncodeAsync(request);

        float[] got = [.. call.Values("negative_embeddings"), .. call.Values("embeddings")];
        got.Zip(golden.Values("call0.in.encoder_hidden_states"), (a, b) => Math.Abs(a - b)).Max().Should().BeLessThan(1e-4f);
    }

    [Fact]
    public async Task Encode_PromptLongerThanItsNegative_BringsBothToTheSameChunks()
    {
        string longPrompt = string.Concat(Enumerable.Repeat("a ", 80));

        var call = await EncodeAsync(Request(longPrompt, "blurry"));
        var reversed = await EncodeAsync(Request("blurry", longPrompt));

        call.Tensor("embeddings").Shape.Should().Equal(1, 154, 32);
        call.Done.Chunks.Should().Be(2);
        call.Done.PromptTokens.Should().Be(80);
        reversed.Values("embeddings").Should().Equal(call.Values("negative_embeddings"));
        reversed.Values("negative_embeddings").Should().Equal(call.Values("embeddings"));
    }

    [Fact]
    public async Task Encode_ChunkBesideOthers_HasTheEmbeddingsItHasAlone()
    {
        var alone = await EncodeAsync(Request("a cat", ""));

        var beside = await EncodeAsync(Request("a cat BREAK a dog", string.Concat(Enumerable.Repeat("a ", 200))));

        beside.Values("embeddings").Take(77 * 32).Should().Equal(alone.Values("embeddings"));
    }

    [Fact]
    public async Task Encode_WeightedWord_ScalesItsEmbeddingAndKeepsTheMean()
    {
        float[] plain = (await EncodeAsync(Request("a cat", ""))).Values("embeddings");
        float[] weighted = (await EncodeAsync(Request("a (cat:1.5)", ""))).Values("embeddings");
        float[] neutral = (await EncodeAsync(Request("a (cat:1.0)", ""))).Values("embeddings");

        neutral.Should().Equal(plain);
        weighted.Average().Should().BeApproximately(plain.Average(), 1e-5f);
        double cat = weighted[2 * 32] / plain[2 * 32];
        double a = weighted[32] / plain[32];
        (cat / a).Should().BeApproximately(1.5, 1e-4);
    }

    [Fact]
    public async Task Encode_WithoutNegative_SendsEmbeddingsOnly()
    {
        var request = Request("", "");
        request.WithoutNegative = true;

        var call = await EncodeAsync(request);

        call.Responses.Count(r => r.Tensor?.Header is not null).Should().Be(1);
        call.Done.PromptTokens.Should().Be(0);
    }

    [Fact]
    public async Task Encode_ManyCallsAtOnce_AnswersEachWithItsOwn()
    {
        string[] prompts = [.. Enumerable.Range(0, 20).Select(i => $"cat {i}")];
        var together = await Task.WhenAll(prompts.Select(prompt => EncodeAsync(Request(prompt, ""))));

        foreach (var (prompt, call) in prompts.Zip(together))
        {
            call.Values("embeddings").Should().Equal((await EncodeAsync(Request(prompt, ""))).Values("embeddings"));
        }
    }

    public static TheoryData<string, Action<EncodeRequest>, StatusCode, string> BadRequests() => new()
    {
        { "no id", r => r.RequestId = "", StatusCode.InvalidArgument, "request_id is empty*" },
        { "id with a space", r => r.RequestId = "a b", StatusCode.InvalidArgument, "request_id is 'a b'*" },
        { "alias for a version", r => r.Version = "stable", StatusCode.InvalidArgument, "version is 'stable'*sha256*" },
        { "unknown version", r => r.Version = $"sha256:{new string('0', 64)}", StatusCode.NotFound, "*000000*" },
        { "100,000 characters", r => r.Prompt = new string('a', 100_000), StatusCode.InvalidArgument, "prompt is *100000 characters*at most 16384*" },
        { "long negative", r => r.NegativePrompt = new string('a', 16_385), StatusCode.InvalidArgument, "negative_prompt is *at most 16384*" },
        { "too many chunks", r => r.Prompt = string.Concat(Enumerable.Repeat("a BREAK ", 33)), StatusCode.InvalidArgument, "prompt is *takes 33 chunks*at most 32*" },
        { "weight", r => r.NegativePrompt = "(a:99999999)", StatusCode.InvalidArgument, "negative_prompt is *weight 1E+08 of 'a'*" },
        { "clip skip below 0", r => r.ClipSkip = -1, StatusCode.InvalidArgument, "clip_skip is -1; give a whole number from 0 to *" },
        { "clip skip of all layers", r => r.ClipSkip = 99, StatusCode.InvalidArgument, "clip_skip is 99; give a whole number from 0 to *" },
    };

    [Theory]
    [MemberData(nameof(BadRequests), DisableDiscoveryEnumeration = true)]
    public async Task Encode_BadRequest_NamesFieldAndValue(string name, Action<EncodeRequest> spoil, StatusCode status, string message)
    {
        var request = Request("a cat", "blurry");
        spoil(request);

        var encode = () => EncodeAsync(request);

        var error = (await encode.Should().ThrowAsync<RpcException>(name)).Which.Status;
        error.StatusCode.Should().Be(status, error.Detail);
        error.Detail.Should().Match(message);
    }

    [Fact]
    public async Task Encode_InvalidUtf8_IsRefusedAndTheServiceGoesOn()
    {
        var bytes = Marshallers.Create(value => value, value => value);
        var method = new Method<byte[], byte[]>(MethodType.ServerStreaming, "fleet.encoder.v1.Encoder", "Encode", bytes, bytes);
        byte[] request = [0x0A, 1, (byte)'a', 0x1A, 2, 0xC3, 0x28]; // request_id "a", prompt C3 28

        using var call = fleet.Encoder.CreateCallInvoker().AsyncServerStreamingCall(method, null, default, request);
        var read = () => call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);

        (await read.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.InvalidArgument);
        await EncodeAsync(Request("a cat", ""));
    }

    [Fact]
    public async Task Encode_WeightsWithNaN_FailsNamingTheVersion()
    {
        using var folder = new TemporaryFolder();
        string model = Copies.Of("sd1", folder);
        Copies.Overwrite(Path.Combine(model, "text_encoder", "model.safetensors"), "text_model.final_layer_norm.weight", BitConverter.GetBytes(float.NaN));
        string version = await fleet.PushAsync(model);
        var request = Request("a cat", "");
        request.Version = version;

        var encode = () => EncodeAsync(request);

        var error = (await encode.Should().ThrowAsync<RpcException>()).Which.Status;
        error.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        error.Detail.Should().Match($"Version {version} cannot be served: *NaN*");
        await EncodeAsync(Request("a cat", ""));
    }

    [Fact]
    public async Task Encode_DeadlinePassesInTheQueue_EndsTheCallAndLeavesTheServiceHealthy()
    {
        var host = await fleet.StartStageAsync(EncoderHost.Create);
        var channel = fleet.Open(host);
        await EncodeCall.RunAsync(channel, Request("a cat", ""));
        using var blocked = new Blockade(host.Services.GetRequiredService<DeviceQueue>());

        var encode = () => EncodeCall.RunAsync(channel, Request("a cat", ""), DateTime.UtcNow.AddMilliseconds(300));

        (await encode.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        blocked.Dispose();
        await EncodeCall.RunAsync(channel, Request("a cat", ""));
    }

    [Fact]
    public async Task Encode_FullQueue_RefusesWithARetryHint()
    {
        var host = await fleet.StartStageAsync(EncoderHost.Create, "--Slice:QueueCapacity=1");
        var channel = fleet.Open(host);
        using var blocked = new Blockade(host.Services.GetRequiredService<DeviceQueue>());
        _ = blocked.Fill();

        var encode = () => EncodeCall.RunAsync(channel, Request("a cat", ""));

        var error = (await encode.Should().ThrowAsync<RpcException>()).Which;
        error.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        long.Parse(error.Trailers.GetValue("retry-after-ms")!).Should().BePositive();
    }

    [Fact]
    public async Task Health_RunningEncoder_IsServing()
    {
        var health = await new Health.HealthClient(fleet.Encoder).CheckAsync(new HealthCheckRequest(), cancellationToken: TestContext.Current.CancellationToken);

        health.Status.Should().Be(HealthCheckResponse.Types.ServingStatus.Serving);
    }

    private EncodeRequest Request(string prompt, string negative) =>
        new() { RequestId = "test", Version = fleet.Version, Prompt = prompt, NegativePrompt = negative };

    private Task<EncodeCall> EncodeAsync(EncodeRequest request) => EncodeCall.RunAsync(fleet.Encoder, request);
}
