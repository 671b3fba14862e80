using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Gateway.Tests;

public class BadInputTests
{
    [Theory]
    [InlineData("""{"steps": 0}""", "steps is 0; give a whole number from 1 to 1000.")]
    [InlineData("""{"steps": 10000}""", "steps is 10000; give a whole number from 1 to 1000.")]
    [InlineData("""{"count": 0}""", "count is 0; give a whole number from 1 to 16.")]
    [InlineData("""{"count": 17}""", "count is 17; give a whole number from 1 to 16.")]
    [InlineData("""{"width": 100}""", "width is 100; give a multiple of 8 from 8 to 2048 pixels.")]
    [InlineData("""{"height": 4096}""", "height is 4096; give a multiple of 8 from 8 to 2048 pixels.")]
    [InlineData("""{"height": -8}""", "height is -8; give a multiple of 8 from 8 to 2048 pixels.")]
    [InlineData("""{"guidanceScale": "NaN"}""", "guidance_scale is NaN; give a number from 0 to 100.")]
    [InlineData("""{"guidanceScale": "Infinity"}""", "guidance_scale is Infinity; give a number from 0 to 100.")]
    [InlineData("""{"guidanceScale": -1}""", "guidance_scale is -1; give a number from 0 to 100.")]
    [InlineData("""{"guidanceRescale": 1.5}""", "guidance_rescale is 1.5; give a number from 0 to 1.")]
    [InlineData("""{"seed": "-1"}""", "seed is -1; give a whole number from 0 to 9223372036854775806.")]
    [InlineData("""{"seed": "9223372036854775807"}""", "seed is 9223372036854775807; give a whole number from 0 to 9223372036854775806.")]
    [InlineData("""{"seed": "9223372036854775800", "count": 16}""", "seed is 9223372036854775800; give a whole number from 0 to 9223372036854775791.")]
    [InlineData("""{"clipSkip": -1}""", "clip_skip is -1; give a whole number from 0 to 1000.")]
    [InlineData("""{"clipSkip": 3}""", "clip_skip is 3; give 0 to 2: the text encoder of 'tiny' has 3 layers.")]
    [InlineData("""{"previewInterval": -2}""", "preview_interval is -2; give a whole number from 0 to 1000.")]
    [InlineData("""{"scheduler": {"name": "eulr"}}""", "scheduler.name is 'eulr'; give one of euler, pndm, dpmpp-2m, dpmpp-2m-sde.")]
    [InlineData("""{"scheduler": {"sigmas": "kerras"}}""", "scheduler.sigmas is 'kerras'; give one of karras, exponential, beta, or leave it out for the scheduler's own.")]
    [InlineData("""{"scheduler": {"timestepSpacing": "even"}}""", "scheduler.timestep_spacing is 'even'; give one of leading, linspace, trailing, or leave it out for the scheduler's own.")]
    [InlineData("""{"scheduler": {"eta": 2}}""", "scheduler.eta is 2; give a number from 0 to 1.")]
    [InlineData("""{"init": {"imageByteLength": 0}}""", "init.image_byte_length is 0; give a file of 1 to 67108864 bytes.")]
    [InlineData("""{"init": {"imageByteLength": 67108865}}""", "init.image_byte_length is 67108865; give a file of 1 to 67108864 bytes.")]
    [InlineData("""{"init": {"imageByteLength": 1, "maskByteLength": -1}}""", "init.mask_byte_length is -1; give a file of 0 to 67108864 bytes.")]
    [InlineData("""{"init": {"imageByteLength": 1, "strength": 0}}""", "init.strength is 0; give a number above 0, up to 1.")]
    [InlineData("""{"init": {"imageByteLength": 1, "strength": 1.01}}""", "init.strength is 1.01; give a number above 0, up to 1.")]
    [InlineData("""{"init": {"imageByteLength": 1, "strength": "NaN"}}""", "init.strength is NaN; give a number above 0, up to 1.")]
    [InlineData("""{"requestId": "a b"}""", "request_id is 'a b'; give 1 to 128 characters of A-Z, a-z, 0-9, '.', '_', ':' and '-'.")]
    [InlineData("""{"prompt": "a\u0000b"}""", "prompt is 'text with U+0000 at position 1'; give valid Unicode text without NUL characters.")]
    [InlineData("""{"model": "tiny-inpaint"}""", "init is not set; give an image and a mask: 'tiny-inpaint' is an inpainting model.")]
    public async Task Generate_FieldOutOfRange_NamesFieldValueAndRemedy(string json, string message)
    {
        await using var fleet = await TestFleet.StartAsync();

        var refusal = await fleet.RefusalAsync(GenerateStart.Parser.ParseJson(json));

        refusal.Status.Should().BeEquivalentTo(new { StatusCode = StatusCode.InvalidArgument, Detail = message });
        fleet.Denoiser.Jobs.Should().BeEmpty();
        (await fleet.RunAsync(new GenerateStart { Prompt = "", Steps = 1 })).Last().Receipt.Should().NotBeNull("the gateway stays healthy");
    }

    [Theory]
    [InlineData(16_384, true)]
    [InlineData(16_385, false)]
    [InlineData(100_000, false)]
    public async Task Generate_LongPrompt_IsTakenUpToTheLimit(int length, bool taken)
    {
        await using var fleet = await TestFleet.StartAsync();
        var start = new GenerateStart { Prompt = new string('x', length), Steps = 1 };

        if (taken)
        {
            (await fleet.RunAsync(start)).Last().Receipt.Recipe.Prompt.Should().HaveLength(length);
            return;
        }

        (await fleet.RefusalAsync(start)).Status.Detail.Should().StartWith("prompt is 'xxx").And.EndWith($"({length} characters); give at most 16384 characters.");
    }

    [Fact]
    public async Task Generate_UnknownModel_IsNotFoundByName()
    {
        await using var fleet = await TestFleet.StartAsync();

        var refusal = await fleet.RefusalAsync(new GenerateStart { Prompt = "a fox", Model = "foxes" });

        refusal.Status.Should().BeEquivalentTo(new { StatusCode = StatusCode.NotFound, Detail = "There is no model 'foxes'." });
    }

    [Fact]
    public async Task Generate_NoModelAndNoDefault_AsksForOne()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:DefaultModel=");

        var refusal = await fleet.RefusalAsync(new GenerateStart { Prompt = "a fox" });

        refusal.Status.Detail.Should().Be("model is empty; name one, because this gateway has no default model.");
    }

    [Fact]
    public async Task Generate_TextThatIsNotUtf8_IsInvalid()
    {
        await using var fleet = await TestFleet.StartAsync();
        byte[] start = [0x1a, 0x02, 0xc3, 0x28]; // field 3, prompt: two bytes that are no UTF-8
        byte[] request = [0x0a, (byte)start.Length, .. start];

        using var call = fleet.RawBytesCall();
        await call.RequestStream.WriteAsync(request, TestContext.Current.CancellationToken);
        var read = () => call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);

        var refusal = (await read.Should().ThrowAsync<RpcException>()).Which;
        refusal.StatusCode.Should().Be(StatusCode.InvalidArgument);
        refusal.Status.Detail.Should().Contain("UTF-8");
    }

    [Fact]
    public async Task Generate_FrameFirst_AsksForStart()
    {
        await using var fleet = await TestFleet.StartAsync();

        var refusal = await fleet.RefusalAsync(new GenerateRequest { Frame = new() { Data = ByteString.CopyFrom(1) } });

        refusal.Status.Detail.Should().Be("start is not set; send it as the first message.");
    }

    [Fact]
    public async Task Generate_FilesEndEarly_SaysHowMuchIsMissing()
    {
        await using var fleet = await TestFleet.StartAsync();

        var refusal = await fleet.RefusalAsync(Start(imageBytes: 10), Frame(4));

        refusal.Status.Should().BeEquivalentTo(new
        {
            StatusCode = StatusCode.InvalidArgument,
            Detail = "frame is 'missing after 4 bytes'; send the 10 bytes of image and mask that start announced.",
        });
    }

    [Fact]
    public async Task Generate_MoreBytesThanAnnounced_AreRefused()
    {
        await using var fleet = await TestFleet.StartAsync();

        var refusal = await fleet.RefusalAsync(Start(imageBytes: 10), Frame(4), Frame(7));

        refusal.Status.Detail.Should().StartWith("frame.data is 'of 7 bytes after 4'");
    }

    [Fact]
    public async Task Generate_UploadThatStops_EndsAfterTheTimeout()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:UploadTimeout=00:00:00.1");
        using var call = fleet.Call(Start(imageBytes: 10).Start);

        var read = () => call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);

        (await read.Should().ThrowAsync<RpcException>()).Which.Status.Should().BeEquivalentTo(new
        {
            StatusCode = StatusCode.DeadlineExceeded,
            Detail = "The request did not arrive whole within 0.1 s; send start and files without a pause.",
        });
    }

    [Fact]
    public async Task Generate_FilesBeyondTheBudget_AreRefusedAndRoomComesBack()
    {
        await using var fleet = await TestFleet.StartAsync("--Gateway:MaxUploadBytes=100");

        var refusal = await fleet.RefusalAsync(Start(imageBytes: 101));
        refusal.StatusCode.Should().Be(StatusCode.ResourceExhausted);
        refusal.Trailers.GetValue("retry-after-ms").Should().Be("1000");

        for (int i = 0; i < 3; i++)
        {
            await fleet.RefusalAsync(Start(imageBytes: 60), Frame(1));
            var events = await fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1, InitImage = new byte[60] });
            events.Should().Contain(e => e is ReceiptReceived);
        }
    }

    [Fact]
    public async Task Generate_MaskWithoutImage_IsRefusedByTheClient()
    {
        await using var fleet = await TestFleet.StartAsync();

        var run = () => fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Mask = new byte[] { 1 } });

        await run.Should().ThrowAsync<FleetInvalidRequestException>();
    }

    private static GenerateRequest Start(int imageBytes) =>
        new() { Start = new GenerateStart { Prompt = "a fox", Steps = 1, Init = new InitImage { ImageByteLength = imageBytes } } };

    private static GenerateRequest Frame(int bytes) => new() { Frame = new() { Data = ByteString.CopyFrom(new byte[bytes]) } };
}
