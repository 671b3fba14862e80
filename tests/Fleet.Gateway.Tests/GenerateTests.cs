using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Tests.Peers;
using Google.Protobuf;
using Event = Fleet.Contracts.Generation.V1.GenerateResponse.EventOneofCase;

namespace Fleet.Gateway.Tests;

public class GenerateTests
{
    [Fact]
    public async Task Generate_OnePicture_SendsEventsInOrder()
    {
        await using var fleet = await TestFleet.StartAsync();

        var events = await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 4, PreviewInterval = 2 });

        events.Select(e => e.EventCase).Should().Equal(
            Event.Accepted, Event.Progress, Event.Progress, Event.Preview, Event.Progress, Event.Progress, Event.Preview,
            Event.Image, Event.Image, Event.Image, Event.Receipt);
        events[0].Accepted.Should().BeEquivalentTo(new { Version = RegistryPeer.Digest, Model = "tiny", QueuePosition = 1, Steps = 4, Attached = false });
    }

    [Fact]
    public async Task Generate_WhileStepsPass_EtaIsStepsLeftAtTheirPace()
    {
        await using var fleet = await TestFleet.StartAsync();

        var events = await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 5 });

        const int StepMs = DenoiserPeer.StepMicroseconds / 1000;
        events.Where(e => e.Progress is not null).Select(e => e.Progress.EtaMs).Should().Equal(4 * StepMs, 3 * StepMs, 2 * StepMs, StepMs, 0);
    }

    [Fact]
    public async Task Generate_AfterAnotherPicture_EtaCountsDecodingToo()
    {
        await using var fleet = await TestFleet.StartAsync();
        await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 1 });

        var events = await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 1, Count = 16 });

        events.Single(e => e.Progress is not null).Progress.EtaMs.Should().Be(1); // 16 pictures of 33 microseconds
    }

    [Fact]
    public async Task Generate_SeveralPictures_EachIsWholeAndInTheReceipt()
    {
        await using var fleet = await TestFleet.StartAsync();

        var events = await fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 2, Count = 3, Seed = 40 });

        var images = events.OfType<ImageReceived>().ToList();
        var start = fleet.Denoiser.Jobs.Single().Start;
        images.Select(image => image.Seed).Should().Equal(40, 41, 42);
        images.Should().AllSatisfy(image => image.File.ToArray().Should().Equal(fleet.Denoiser.Picture(start, image.ImageIndex)));
        var receipt = events.OfType<ReceiptReceived>().Single().Receipt;
        receipt.Images.Select(image => Convert.ToHexStringLower(image.FileSha256.Span)).Should().Equal(images.Select(image => image.FileSha256));
        receipt.Images.Should().AllSatisfy(image => image.ByteLength.Should().Be(DenoiserPeer.PictureBytes));
    }

    [Fact]
    public async Task Generate_Finished_ReceiptHasTimingsAndTokens()
    {
        await using var fleet = await TestFleet.StartAsync();

        var receipt = (await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 2, Count = 2 })).Last().Receipt;

        receipt.PromptTokens.Should().Be(5);
        receipt.NegativePromptTokens.Should().Be(2);
        receipt.Timings.Should().BeEquivalentTo(new { QueueUs = 11L, DenoiseUs = 22L, DecodeUs = 66L });
        receipt.Timings.EncodeUs.Should().BePositive();
        receipt.Timings.TotalUs.Should().BeGreaterThan(receipt.Timings.EncodeUs);
    }

    [Fact]
    public async Task Generate_NothingButAPrompt_UsesTheDefaults()
    {
        await using var fleet = await TestFleet.StartAsync();

        var receipt = (await fleet.RunAsync(new GenerateStart { Prompt = "a fox" })).Last().Receipt;

        receipt.Recipe.Should().BeEquivalentTo(new { Width = 64, Height = 64, Steps = 20, GuidanceScale = 7.5, Scheduler = "", HasEta = false, HasStrength = false });
        receipt.Scheduler.Should().Be("pndm");
        fleet.Denoiser.Jobs.Single().Start.Should().BeEquivalentTo(new { LatentWidth = 8, LatentHeight = 8, Count = 1 });
    }

    [Fact]
    public async Task Generate_NoSeed_SameRequestIdMeansSameSeedOnAnotherGateway()
    {
        await using var one = await TestFleet.StartAsync();
        await using var other = await TestFleet.StartAsync();
        var start = new GenerateStart { Prompt = "a fox", RequestId = "job-7", Steps = 1 };

        var first = (await one.RunAsync(start)).Last().Receipt;
        var second = (await other.RunAsync(start)).Last().Receipt;
        var third = (await other.RunAsync(new GenerateStart(start) { RequestId = "job-8" })).Last().Receipt;

        second.Images.Single().FileSha256.Should().Equal(first.Images.Single().FileSha256);
        third.Recipe.Seed.Should().NotBe(first.Recipe.Seed);
    }

    [Fact]
    public async Task Generate_EveryStage_GetsTheSamePinnedVersionAndId()
    {
        await using var fleet = await TestFleet.StartAsync();

        await fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", RequestId = "job-1", Steps = 1, InitImage = new byte[] { 1 } });

        fleet.Encoder.Requests.Single().Should().BeEquivalentTo(new { Version = RegistryPeer.Digest, RequestId = "job-1", Prompt = "a fox" });
        fleet.Decoder.Requests.Single().Start.Should().BeEquivalentTo(new { Version = RegistryPeer.Digest, RequestId = "job-1" });
        fleet.Denoiser.Jobs.Single().Start.Should().BeEquivalentTo(new { Version = RegistryPeer.Digest, RequestId = "job-1" });
    }

    [Fact]
    public async Task Generate_GuidanceOfOne_EncodesNoNegativePrompt()
    {
        await using var fleet = await TestFleet.StartAsync();

        await fleet.RunAsync(new GenerateStart { Prompt = "a fox", Steps = 1, GuidanceScale = 1 });

        fleet.Encoder.Requests.Single().WithoutNegative.Should().BeTrue();
        fleet.Denoiser.Jobs.Single().Tensors.Select(tensor => tensor.Name).Should().Equal("embeddings");
    }

    [Fact]
    public async Task Generate_ImageAndMask_ReachTheDecoderAndTheRecipe()
    {
        await using var fleet = await TestFleet.StartAsync();
        byte[] image = [.. Enumerable.Range(0, 300_000).Select(i => (byte)i)];
        byte[] mask = [.. Enumerable.Range(0, 150_000).Select(i => (byte)(i * 3))];
        var request = new GenerationRequest { Prompt = "a fox", Steps = 1, InitImage = image, Mask = mask, Strength = 0.5 };

        var receipt = (await fleet.GenerateAsync(request)).OfType<ReceiptReceived>().Single().Receipt;

        fleet.Decoder.Requests.Single().Files.Should().Equal([.. image, .. mask]);
        fleet.Denoiser.Jobs.Single().Tensors.Select(tensor => tensor.Name).Should().Equal(
            "embeddings", "negative_embeddings", "init_mean", "init_std", "mask", "masked_mean", "masked_std");
        fleet.Denoiser.Jobs.Single().Start.Should().BeEquivalentTo(new { Inpaint = true, Init = new { Strength = 0.5 } });
        receipt.Recipe.InitImageSha256.Should().Be(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(image)));
        receipt.Recipe.MaskSha256.Should().Be(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(mask)));
        receipt.Timings.EncodeImageUs.Should().BePositive();
    }

    [Fact]
    public async Task Generate_FromRecipe_MakesTheSameBytes()
    {
        await using var fleet = await TestFleet.StartAsync();
        var request = new GenerationRequest
        {
            Prompt = "a fox, {seed}",
            NegativePrompt = "blurry",
            Steps = 3,
            Seed = 9,
            Width = 128,
            Scheduler = "dpmpp-2m",
            Sigmas = "karras",
            Eta = 0.5,
            ClipSkip = 1,
        };
        var first = await fleet.GenerateAsync(request);
        var recipe = first.OfType<ReceiptReceived>().Single().Receipt.Recipe;

        var second = await fleet.GenerateAsync(GenerationRequest.FromRecipe(recipe));

        second.OfType<ImageReceived>().Single().File.ToArray().Should().Equal(first.OfType<ImageReceived>().Single().File.ToArray());
    }

    [Fact]
    public async Task ListSchedulers_RelaysTheDenoisersList()
    {
        await using var fleet = await TestFleet.StartAsync();

        var schedulers = await fleet.Client.ListSchedulersAsync(TestContext.Current.CancellationToken);

        schedulers.Select(scheduler => scheduler.Name).Should().Equal("euler", "pndm", "dpmpp-2m", "dpmpp-2m-sde");
    }
}
