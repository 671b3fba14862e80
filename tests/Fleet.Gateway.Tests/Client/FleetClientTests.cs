using System.Security.Cryptography;
using Fleet.Client;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Tests.Peers;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Fleet.Gateway.Tests.Client;

public sealed class FleetClientTests : IAsyncLifetime
{
    private static readonly byte[] Picture = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
    private static readonly GenerationRequest Fox = new() { Prompt = "a fox" };

    private readonly GatewayPeer gateway = new();
    private PeerHost host = null!;
    private FleetClient client = null!;

    public async ValueTask InitializeAsync()
    {
        host = await PeerHost.StartAsync(gateway);
        client = new FleetClient(host.Address, new FleetClientOptions { FirstRetryDelay = TimeSpan.FromMilliseconds(1), MaxAttempts = 3 });
    }

    [Fact]
    public async Task GenerateAsync_GatewayHangsUp_AsksAgainUnderTheSameId()
    {
        gateway.Answer = async (call, responses, context) =>
        {
            await responses.WriteAsync(Accepted(context));
            await responses.WriteAsync(Chunk(0, 400));
            if (call == 1)
            {
                context.GetHttpContext().Abort();
                return;
            }

            await responses.WriteAsync(Chunk(400, 1000, Trailer()));
            await responses.WriteAsync(new GenerateResponse { Receipt = new Receipt() });
        };

        var events = await RunAsync(Fox);

        events.Select(e => e.GetType()).Should().Equal(typeof(GenerationAccepted), typeof(ImageReceived), typeof(ReceiptReceived));
        events.OfType<ImageReceived>().Single().File.ToArray().Should().Equal(Picture);
        gateway.Calls.Select(call => call.Start.RequestId).Distinct().Should().ContainSingle().Which.Should().NotBeEmpty();
        gateway.Calls.Should().HaveCount(2);
    }

    [Fact]
    public async Task GenerateAsync_AnotherVersionTakesOver_SaysSoAndGivesItsImageToo()
    {
        gateway.Answer = async (_, responses, _) =>
        {
            await responses.WriteAsync(new GenerateResponse { Accepted = new Accepted { Version = "canary", CanaryOf = "ro-1" } });
            await responses.WriteAsync(Chunk(0, 1000, Trailer()));
            await responses.WriteAsync(new GenerateResponse { Accepted = new Accepted { Version = "stable" } });
            await responses.WriteAsync(Chunk(0, 1000, Trailer()));
            await responses.WriteAsync(new GenerateResponse { Receipt = new Receipt() });
        };

        var events = await RunAsync(Fox);

        events.OfType<GenerationAccepted>().Select(accepted => (accepted.Version, accepted.CanaryOf)).Should().Equal(("canary", "ro-1"), ("stable", ""));
        events.Select(e => e.GetType()).Should().Equal(
            typeof(GenerationAccepted), typeof(ImageReceived), typeof(GenerationAccepted), typeof(ImageReceived), typeof(ReceiptReceived));
    }

    [Fact]
    public async Task GenerateAsync_KeyAndPin_AreSent()
    {
        gateway.Answer = (_, responses, _) => responses.WriteAsync(new GenerateResponse { Receipt = new Receipt() });

        await RunAsync(Fox with { StickyKey = "tenant-7", VersionPin = "canary" });

        gateway.Calls.Single().Start.Should().BeEquivalentTo(new { StickyKey = "tenant-7", VersionPin = "canary" });
    }

    [Fact]
    public async Task GenerateAsync_HangsUpAfterAnImage_GivesTheImageOnce()
    {
        gateway.Answer = async (call, responses, context) =>
        {
            await responses.WriteAsync(Chunk(0, 1000, Trailer()));
            if (call == 1)
            {
                context.GetHttpContext().Abort();
                return;
            }

            await responses.WriteAsync(new GenerateResponse { Receipt = new Receipt() });
        };

        (await RunAsync(Fox)).Select(e => e.GetType()).Should().Equal(typeof(ImageReceived), typeof(ReceiptReceived));
    }

    [Fact]
    public async Task GenerateAsync_StreamEndsWithoutReceipt_IsUnavailableInTheEnd()
    {
        var run = () => RunAsync(Fox);

        await run.Should().ThrowAsync<FleetUnavailableException>().WithMessage("*before the receipt*");
        gateway.Calls.Should().HaveCount(3);
    }

    [Fact]
    public async Task GenerateAsync_FleetIsFull_WaitsAsLongAsItIsTold()
    {
        gateway.Answer = (call, responses, _) => call == 1
            ? throw Full(retryAfterMs: 60)
            : responses.WriteAsync(new GenerateResponse { Receipt = new Receipt() });

        await RunAsync(Fox);

        (gateway.Calls[1].At - gateway.Calls[0].At).Should().BeGreaterThan(TimeSpan.FromMilliseconds(55));
    }

    [Fact]
    public async Task GenerateAsync_HintBeyondTheTimeout_GivesUpAtOnce()
    {
        gateway.Answer = (_, _, _) => throw Full(retryAfterMs: 60_000);

        var run = () => RunAsync(Fox with { Timeout = TimeSpan.FromSeconds(10) });

        (await run.Should().ThrowAsync<FleetOverloadedException>()).Which.RetryAfter.Should().Be(TimeSpan.FromMinutes(1));
        gateway.Calls.Should().ContainSingle();
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument, typeof(FleetInvalidRequestException))]
    [InlineData(StatusCode.NotFound, typeof(FleetNotFoundException))]
    [InlineData(StatusCode.AlreadyExists, typeof(FleetConflictException))]
    [InlineData(StatusCode.FailedPrecondition, typeof(FleetPreconditionException))]
    [InlineData(StatusCode.Cancelled, typeof(FleetCancelledException))]
    [InlineData(StatusCode.DeadlineExceeded, typeof(FleetDeadlineException))]
    [InlineData(StatusCode.Internal, typeof(FleetException))]
    public async Task GenerateAsync_Refused_ThrowsTheTypedExceptionOnce(StatusCode status, Type type)
    {
        gateway.Answer = (_, _, _) => throw new RpcException(new Status(status, "the server's words"));

        var run = () => RunAsync(Fox);

        var failure = (await run.Should().ThrowAsync<FleetException>().WithMessage("the server's words")).Which;
        failure.Should().BeOfType(type);
        failure.StatusCode.Should().Be(status);
        gateway.Calls.Should().ContainSingle();
    }

    [Fact]
    public async Task GenerateAsync_DamagedImage_IsDataLoss()
    {
        gateway.Answer = (_, responses, _) => responses.WriteAsync(Chunk(0, 999, Trailer()));

        var run = () => RunAsync(Fox);

        (await run.Should().ThrowAsync<FleetException>()).Which.StatusCode.Should().Be(StatusCode.DataLoss);
    }

    [Fact]
    public async Task GenerateAsync_LoopIsLeft_CancelsTheCall()
    {
        var gone = WaitUntilGone();

        await foreach (var _ in client.GenerateAsync(Fox, TestContext.Current.CancellationToken))
        {
            break;
        }

        await gone.WaitAsync(TestFleet.Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task GenerateAsync_TokenFires_ThrowsOperationCanceledAndCancelsTheCall()
    {
        var gone = WaitUntilGone();
        using var cancellation = new CancellationTokenSource();

        var run = async () =>
        {
            await foreach (var _ in client.GenerateAsync(Fox, cancellation.Token))
            {
                await cancellation.CancelAsync();
            }
        };

        await run.Should().ThrowAsync<OperationCanceledException>();
        await gone.WaitAsync(TestFleet.Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task GenerateAsync_Timeout_IsTheDeadlineOfTheCall()
    {
        DateTime deadline = default;
        gateway.Answer = (_, responses, context) =>
        {
            deadline = context.Deadline;
            return responses.WriteAsync(new GenerateResponse { Receipt = new Receipt() });
        };

        await RunAsync(Fox with { Timeout = TimeSpan.FromMinutes(3) });

        deadline.Should().BeCloseTo(DateTime.UtcNow.AddMinutes(3), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void FromRecipe_WithoutItsInitImage_AsksForIt()
    {
        var recipe = new Recipe { Prompt = "a fox", InitImageSha256 = Convert.ToHexStringLower(SHA256.HashData(Picture)), Strength = 0.5 };

        var missing = () => GenerationRequest.FromRecipe(recipe);
        var other = () => GenerationRequest.FromRecipe(recipe, new byte[] { 1 });

        missing.Should().Throw<ArgumentException>().WithMessage($"*{recipe.InitImageSha256}*");
        other.Should().Throw<ArgumentException>().WithMessage("*the recipe names one with*");
        GenerationRequest.FromRecipe(recipe, Picture).Strength.Should().Be(0.5);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await host.DisposeAsync();
    }

    private async Task<List<GenerationEvent>> RunAsync(GenerationRequest request) =>
        await client.GenerateAsync(request, TestContext.Current.CancellationToken).ToListAsync();

    private Task WaitUntilGone()
    {
        var gone = new TaskCompletionSource();
        gateway.Answer = async (_, responses, context) =>
        {
            context.CancellationToken.Register(() => gone.TrySetResult());
            await responses.WriteAsync(Accepted(context));
            await gone.Task;
        };
        return gone.Task;
    }

    private static GenerateResponse Accepted(ServerCallContext context) => new() { Accepted = new Accepted { Version = context.Method } };

    private static GenerateResponse Chunk(int begin, int end, ImageTrailer? trailer = null) =>
        new() { Image = new ImageChunk { Offset = begin, Data = ByteString.CopyFrom(Picture, begin, end - begin), Trailer = trailer } };

    private static ImageTrailer Trailer() =>
        new() { ByteLength = Picture.Length, FileSha256 = ByteString.CopyFrom(SHA256.HashData(Picture)), PixelsSha256 = ByteString.CopyFrom(new byte[32]) };

    private static RpcException Full(int retryAfterMs) =>
        new(new Status(StatusCode.ResourceExhausted, "full"), new Metadata { { "retry-after-ms", $"{retryAfterMs}" } });
}
