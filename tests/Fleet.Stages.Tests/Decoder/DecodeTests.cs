using System.Security.Cryptography;
using Fleet.Contracts.Decoder.V1;
using Fleet.Decoder;
using Fleet.Diffusion.Imaging;
using Fleet.Serving;
using Fleet.Testing;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fleet.Stages.Tests.Decoder;

public sealed class DecodeTests(StageFleet fleet)
{
    [Fact]
    public async Task Decode_LatentsOfAGoldenRun_GivesTheReferencesPicture()
    {
        using var golden = new GoldenPipeline("sd1_euler");

        var responses = await RunAsync([Start(), .. DecodeCall.Latents(golden.Values("final_latents"), 16)]);

        var picture = DecodeCall.Picture(responses);
        float[] expected = golden.Values("image"); // (1, 3, 32, 32) in [0, 1]
        (picture.Width, picture.Height).Should().Be((32, 32));
        picture.Rgb.Select((value, i) => Math.Abs(value - 255 * expected[i % 3 * 1024 + i / 3])).Max().Should().BeLessThan(0.51f);
    }

    [Fact]
    public async Task Decode_FinalLatents_SendsAFileWithRecordsAndItsDigests()
    {
        var start = Start(new ImageText { Keyword = "parameters", Text = "Seed: {seed}, {index}", Templated = true }, new ImageText { Keyword = "raw", Text = "{seed} 日本" });

        var responses = await RunAsync([start, .. DecodeCall.Latents(Noise(16), 16, index: 2, seed: 44)]);

        byte[] file = DecodeCall.File(responses, 2);
        var trailer = responses[^1].Image.Trailer;
        PngReader.ReadText(file).Should().Equal(new TextRecord("parameters", "Seed: 44, 2"), new TextRecord("raw", "{seed} 日本"));
        trailer.ByteLength.Should().Be(file.Length);
        trailer.FileSha256.ToByteArray().Should().Equal(SHA256.HashData(file));
        trailer.PixelsSha256.ToByteArray().Should().Equal(SHA256.HashData(PngReader.ReadPicture(file).Rgb));
        (trailer.Width, trailer.Height, trailer.Seed).Should().Be((32, 32, 44));
        trailer.ComputeUs.Should().BePositive();
    }

    [Fact]
    public async Task Decode_FinalLatents_TrailerSaysWhatThePixelsHaveTogether()
    {
        var responses = await RunAsync([Start(), .. DecodeCall.Latents(Noise(16), 16)]);

        var rgb = DecodeCall.Picture(responses).Rgb.Select(value => (double)value).ToList();
        var pixels = responses[^1].Image.Trailer.Pixels;
        pixels.Should().BeEquivalentTo(new { Minimum = (int)rgb.Min(), Maximum = (int)rgb.Max() });
        pixels.Mean.Should().BeApproximately(rgb.Average(), 1e-9);
        pixels.LargestRange.Should().BeInRange(1, pixels.Maximum - pixels.Minimum);
    }

    [Fact]
    public async Task Decode_FirstCallOfAProcess_IsColdAndTheNextIsNot()
    {
        var decoder = fleet.Open(await fleet.StartStageAsync(DecoderHost.Create));

        var first = await DecodeCall.RunAsync(decoder, Start());
        var second = await DecodeCall.RunAsync(decoder, Start());

        first.Single().Accepted.Cold.Should().BeTrue();
        second.Single().Accepted.Cold.Should().BeFalse();
    }

    [Fact]
    public async Task Decode_PreviewsAndFinals_AnswersInTheOrderOfArrival()
    {
        var responses = await RunAsync(
        [
            Start(),
            .. DecodeCall.Latents(Noise(16), 16, preview: true, index: 0, step: 1),
            .. DecodeCall.Latents(Noise(16), 16, preview: true, index: 1, step: 1),
            .. DecodeCall.Latents(Noise(16), 16, index: 0),
            .. DecodeCall.Latents(Noise(16), 16, preview: true, index: 1, step: 2),
            .. DecodeCall.Latents(Noise(16), 16, index: 1),
        ]);

        responses[0].Accepted.Version.Should().Be(fleet.Version);
        responses.Skip(1).Select(r => r.Preview is { } preview ? $"preview {preview.ImageIndex} {preview.Step}" : $"image {r.Image.ImageIndex}")
            .Should().Equal("preview 0 1", "preview 1 1", "image 0", "preview 1 2", "image 1");
        DecodeCall.File(responses, 0).Should().Equal(DecodeCall.File(responses, 1)); // one call's pictures do not disturb each other
    }

    [Theory]
    [InlineData(16, 16)]
    [InlineData(200, 128)]
    public async Task Decode_Preview_IsAPictureOfAtMost128Pixels(int side, int expected)
    {
        var responses = await RunAsync([Start(), .. DecodeCall.Latents(Noise(side), side, preview: true)]);

        var picture = PngReader.ReadPicture(responses[1].Preview.Png.ToByteArray());
        (picture.Width, picture.Height).Should().Be((expected, expected));
    }

    [Fact]
    public async Task Decode_Preview_ResemblesThePicture()
    {
        float[] latents = Noise(16);

        var responses = await RunAsync([Start(), .. DecodeCall.Latents(latents, 16, preview: true), .. DecodeCall.Latents(latents, 16)]);

        // A random autoencoder is far from linear: even fits to the picture itself correlate at no more than 0.55 to 0.75.
        var preview = PngReader.ReadPicture(responses[1].Preview.Png.ToByteArray());
        Correlation(preview.Rgb, DecodeCall.Picture(responses).Resize(16, 16).Rgb).Should().BeGreaterThan(0.3);
    }

    [Fact]
    public async Task Decode_PictureAboveTheTileLimit_IsDecodedInTilesAndLooksTheSame()
    {
        var host = await fleet.StartStageAsync(DecoderHost.Create, "--Decoder:TileAbovePixels=1024");
        DecodeRequest[] requests = [Start(), .. DecodeCall.Latents(Noise(40), 40)];

        var whole = DecodeCall.Picture(await RunAsync(requests));
        var tiled = DecodeCall.Picture(await DecodeCall.RunAsync(fleet.Open(host), requests));

        (tiled.Width, tiled.Height).Should().Be((80, 80));
        tiled.Rgb.Should().NotEqual(whole.Rgb);
        tiled.Rgb.Zip(whole.Rgb, (a, b) => Math.Abs(a - b)).Average().Should().BeLessThan(20);
    }

    public static TheoryData<string, Action<List<DecodeRequest>>, StatusCode, string> BadRequests() => new()
    {
        { "nothing", r => r.Clear(), StatusCode.InvalidArgument, "start is not set*first message*" },
        { "no start", r => r.RemoveAt(0), StatusCode.InvalidArgument, "start is not set*first message*" },
        { "start twice", r => r.Insert(1, r[0]), StatusCode.InvalidArgument, "message is *Start*" },
        { "id", r => r[0].Start.RequestId = "a/b", StatusCode.InvalidArgument, "request_id is 'a/b'*" },
        { "version", r => r[0].Start.Version = "sha256:12", StatusCode.InvalidArgument, "version is 'sha256:12'*" },
        { "unknown version", r => r[0].Start.Version = $"sha256:{new string('0', 64)}", StatusCode.NotFound, "*000000*" },
        { "no format", r => r[0].Start.Output.Format = ImageFormat.Unspecified, StatusCode.InvalidArgument, "start.output.format is Unspecified*" },
        { "keyword", r => r[0].Start.Output.Text.Add(new ImageText { Keyword = "日" }), StatusCode.InvalidArgument, "start.output.text[0] is '日'*" },
        { "long text", r => r[0].Start.Output.Text.Add(new ImageText { Keyword = "a", Text = new string('x', 300_000) }), StatusCode.InvalidArgument, "start.output.text[0].text is *300000*" },
        { "tensor without latents", r => r.RemoveAt(1), StatusCode.InvalidArgument, "message is *Tensor*" },
        { "index", r => r[1].Latents.ImageIndex = 16, StatusCode.InvalidArgument, "latents.image_index is 16*" },
        { "frame before header", r => r.RemoveAt(2), StatusCode.InvalidArgument, "tensor.frame is *without a header*" },
        { "frame out of order", r => r[3].Tensor.Frame.Offset = 4, StatusCode.InvalidArgument, "tensor.frame.offset is 4*" },
        { "no frame", r => r.RemoveAt(3), StatusCode.InvalidArgument, "tensor.trailer is after 0 bytes*" },
        { "no trailer", r => r.RemoveAt(4), StatusCode.InvalidArgument, "tensor is 'cut off'*" },
        { "checksum", r => r[4].Tensor.Trailer.Xxh3128 = Google.Protobuf.ByteString.CopyFrom(new byte[16]), StatusCode.InvalidArgument, "tensor.trailer.xxh3_128 is *" },
        { "name", r => r[2].Tensor.Header.Name = "noise", StatusCode.InvalidArgument, "tensor.header.name is 'noise'*" },
        { "dtype", r => r[2].Tensor.Header.Dtype = Contracts.Tensor.V1.DType.Int64, StatusCode.InvalidArgument, "tensor.header.dtype is Int64*" },
        { "too large", r => r[2].Tensor.Header.Shape[3] = 513, StatusCode.InvalidArgument, "tensor.header.shape is '(1, 4, 16, 513)'*1 to 512*" },
        { "byte length", r => r[2].Tensor.Header.ByteLength = 1, StatusCode.InvalidArgument, "tensor.header.byte_length is 1*" },
        { "batch", r => r[2].Tensor.Header.Shape[0] = 2, StatusCode.InvalidArgument, "tensor.header.shape is '(2, 4, 16, 16)'*" },
        { "channels", r => r[2].Tensor.Header.Shape[1] = 16, StatusCode.FailedPrecondition, "latents are of shape (1, 16, 16, 16)*takes 4 channels*" },
    };

    [Theory]
    [MemberData(nameof(BadRequests), DisableDiscoveryEnumeration = true)]
    public async Task Decode_BadRequest_NamesFieldAndValue(string name, Action<List<DecodeRequest>> spoil, StatusCode status, string message)
    {
        List<DecodeRequest> requests = [Start(), .. DecodeCall.Latents(Noise(16), 16)];
        spoil(requests);

        var decode = () => RunAsync(requests);

        var error = (await decode.Should().ThrowAsync<RpcException>(name)).Which.Status;
        error.StatusCode.Should().Be(status, error.Detail);
        error.Detail.Should().Match(message);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public async Task Decode_LatentsThatAreNotFinite_FailsSayingSo(float value)
    {
        float[] latents = Noise(16);
        latents[77] = value;

        var decode = () => RunAsync([Start(), .. DecodeCall.Latents(latents, 16, index: 1, step: 7)]);

        var error = (await decode.Should().ThrowAsync<RpcException>()).Which.Status;
        error.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        error.Detail.Should().StartWith("The latents of picture 1 after step 7 hold NaN or infinite numbers");
    }

    [Fact]
    public async Task Decode_VersionWithDamagedWeights_FailsNamingTheTensor()
    {
        using var folder = new TemporaryFolder();
        string model = Copies.Of("sd1", folder);
        Copies.Overwrite(Path.Combine(model, "vae", "diffusion_pytorch_model.safetensors"), "decoder.conv_out.bias", BitConverter.GetBytes(float.NaN));
        var start = DecodeCall.Start(await fleet.PushAsync(model));

        var decode = () => RunAsync([start]);

        var error = (await decode.Should().ThrowAsync<RpcException>()).Which.Status;
        error.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        error.Detail.Should().Match("*decoder.conv_out.bias*NaN*");
    }

    [Fact]
    public async Task Decode_FullQueue_RefusesNewCallsAndFinishesAcceptedOnes()
    {
        var host = await fleet.StartStageAsync(DecoderHost.Create, "--Slice:QueueCapacity=1");
        var channel = fleet.Open(host);
        await DecodeCall.RunAsync(channel, Start());
        using var blocked = new Blockade(host.Services.GetRequiredService<DeviceQueue>());
        using var call = new Contracts.Decoder.V1.Decoder.DecoderClient(channel).Decode(cancellationToken: TestContext.Current.CancellationToken);
        foreach (var request in (DecodeRequest[])[Start(), .. DecodeCall.Latents(Noise(16), 16)])
        {
            await call.RequestStream.WriteAsync(request, TestContext.Current.CancellationToken);
        }

        await call.RequestStream.CompleteAsync();
        var error = await RefusedAsync(channel);
        blocked.Dispose();

        long.Parse(error.Trailers.GetValue("retry-after-ms")!).Should().BePositive();
        var responses = await call.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);
        DecodeCall.Picture(responses).Width.Should().Be(32);
    }

    // The accepted call takes its place at a moment of its own; until then others are accepted.
    private async Task<RpcException> RefusedAsync(Grpc.Net.Client.GrpcChannel channel)
    {
        while (true)
        {
            try
            {
                await DecodeCall.RunAsync(channel, Start());
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
            {
                return e;
            }
        }
    }

    private DecodeRequest Start(params ImageText[] text) => DecodeCall.Start(fleet.Version, text);

    private Task<List<DecodeResponse>> RunAsync(IEnumerable<DecodeRequest> requests) => DecodeCall.RunAsync(fleet.Decoder, requests);

    private static float[] Noise(int side)
    {
        var random = new Random(11);
        return [.. Enumerable.Range(0, 4 * side * side).Select(_ => (float)(random.NextDouble() * 4 - 2))];
    }

    private static double Correlation(byte[] a, byte[] b)
    {
        var (meanA, meanB) = (a.Average(value => value), b.Average(value => value));
        double both = a.Zip(b, (x, y) => (x - meanA) * (y - meanB)).Sum();
        return both / Math.Sqrt(a.Sum(x => (x - meanA) * (x - meanA)) * b.Sum(y => (y - meanB) * (y - meanB)));
    }
}
