using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Decoder;
using Fleet.Denoiser;
using Fleet.Diffusion.Imaging;
using Fleet.Diffusion.Sampling;
using Fleet.Stages.Tests.Decoder;
using Grpc.Core;

namespace Fleet.Stages.Tests.Denoiser;

public sealed class DenoiseTests(StageFleet fleet)
{
    [Fact]
    public async Task Denoise_Job_AnswersAcceptedProgressPreviewsImagesAndDoneInOrder()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.Count = 2;
        start.PreviewInterval = 2;

        var responses = await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(start));

        responses[0].Accepted.Should().BeEquivalentTo(new { fleet.Version, Steps = 4, Scheduler = "pndm" });
        responses.Where(r => r.Progress is not null).Select(r => r.Progress.Step).Should().BeInAscendingOrder().And.EndWith(4);
        responses.Where(r => r.Decoded?.Preview is not null).Select(r => (r.Decoded.Preview.ImageIndex, r.Decoded.Preview.Step)).Should().BeEquivalentTo([(0, 2), (1, 2)]);
        var trailers = responses.Where(r => r.Decoded?.Image?.Trailer is not null).Select(r => r.Decoded.Image).ToList();
        trailers.Select(image => (image.ImageIndex, image.Trailer.Seed)).Should().BeEquivalentTo([(0, 7L), (1, 8L)]);
        responses.Count(r => r.Done is not null).Should().Be(1);
        responses[^1].Done.NetworkCalls.Should().Be(5, "PNDM runs its second timestep twice");
    }

    [Fact]
    public async Task Denoise_ReturnLatents_SendsWhatTheDecoderGot()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.Count = 2;
        start.PreviewInterval = 2;
        start.ReturnLatents = true;

        var responses = await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(start));

        var assembler = new TensorAssembler(1 << 20);
        var tensors = responses.Where(r => r.Latents is not null).Select(r => (r.Latents.ImageIndex, Tensor: assembler.Add(r.Latents.Tensor)))
            .Where(latents => latents.Tensor is not null).ToList();
        tensors.Select(latents => (latents.ImageIndex, latents.Tensor!.Name)).Should().Equal((0, "latents"), (1, "latents"));
        float[] values = MemoryMarshal.Cast<byte, float>(tensors[1].Tensor!.Data).ToArray();
        var decoded = await DecodeCall.RunAsync(fleet.Decoder, [DecodeCall.Start(fleet.Version), .. DecodeCall.Latents(values, 16, index: 1, seed: 8)]);
        DecodeCall.File(decoded, 1).Should().Equal(DenoiseCall.File(responses, 1));
    }

    [Fact]
    public async Task Denoise_NoLatentsAskedFor_SendsNone()
    {
        var responses = await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(DenoiseCall.Start(fleet.Version)));

        responses.Should().NotContain(r => r.Latents != null);
    }

    [Theory]
    [InlineData(true)] // the denoiser is new
    [InlineData(false)] // only its decoder is
    public async Task Denoise_VersionIsLoadedForTheJobAnywhere_IsCold(bool newDenoiser)
    {
        var decoder = newDenoiser ? fleet.DecoderAddress : (await fleet.StartStageAsync(DecoderHost.Create)).Urls.Single();
        var denoiser = fleet.Open(await fleet.StartStageAsync(DenoiserHost.Create, $"--Decoder:Address={decoder}"));
        if (!newDenoiser)
        {
            // Loads the version here and fails before the decoder is called.
            var wrong = DenoiseCall.Start(fleet.Version);
            wrong.Scheduler = new SchedulerChoice { Name = "none" };
            var run = () => DenoiseCall.RunAsync(denoiser, DenoiseCall.Messages(wrong));
            await run.Should().ThrowAsync<RpcException>();
        }

        var first = await DenoiseCall.RunAsync(denoiser, DenoiseCall.Messages(DenoiseCall.Start(fleet.Version)));
        var second = await DenoiseCall.RunAsync(denoiser, DenoiseCall.Messages(DenoiseCall.Start(fleet.Version)));

        first[^1].Done.Cold.Should().BeTrue();
        second[^1].Done.Cold.Should().BeFalse();
    }

    [Fact]
    public async Task Denoise_PictureOfACount_IsTheOneThatItsSeedMakesAlone()
    {
        var three = DenoiseCall.Start(fleet.Version);
        three.Count = 3;
        var third = DenoiseCall.Start(fleet.Version);
        third.Seed += 2;

        byte[] together = DenoiseCall.File(await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(three)), index: 2);
        byte[] alone = DenoiseCall.File(await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(third)));

        Difference(together, alone).Should().BeLessThanOrEqualTo(1, "a kernel may round differently for another batch size, by one level at most");
    }

    [Fact]
    public async Task Denoise_ManyDifferentJobsAtOnce_EachGivesItsOwnPicture()
    {
        string[] schedulers = ["euler", "ddim", "heun", "dpmpp-2m", "euler-a", "unipc"];
        var starts = schedulers.Select((scheduler, i) =>
        {
            var start = DenoiseCall.Start(fleet.Version);
            start.Scheduler = new SchedulerChoice { Name = scheduler };
            start.Steps = 3 + i;
            start.Seed = i;
            start.GuidanceScale = i % 3 == 0 ? 1 : 3 + i;
            start.GuidanceRescale = i % 2 * 0.5;
            return start;
        }).ToList();
        var alone = new List<byte[]>();
        foreach (var start in starts)
        {
            alone.Add(DenoiseCall.File(await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(start, promptSeed: start.Steps))));
        }

        var together = await Task.WhenAll(starts.Select(start => DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(start, promptSeed: start.Steps))));

        for (int i = 0; i < starts.Count; i++)
        {
            Difference(DenoiseCall.File(together[i]), alone[i]).Should().BeLessThanOrEqualTo(1, schedulers[i]);
        }

        alone.Select(Convert.ToHexString).Distinct().Should().HaveCount(schedulers.Length);
    }

    [Fact]
    public async Task Denoise_EverySchedulerThatIsListed_MakesAPicture()
    {
        var client = new Contracts.Denoiser.V1.Denoiser.DenoiserClient(fleet.Denoiser);
        var listed = await client.ListSchedulersAsync(new ListSchedulersRequest(), cancellationToken: TestContext.Current.CancellationToken);

        listed.Schedulers.Select(s => s.Name).Should().Equal(Schedulers.All.Select(s => s.Name));
        foreach (var scheduler in listed.Schedulers)
        {
            var start = DenoiseCall.Start(fleet.Version);
            start.Scheduler = new SchedulerChoice { Name = scheduler.Name };
            var responses = await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(start));
            responses[0].Accepted.Scheduler.Should().Be(scheduler.Name);
            DenoiseCall.Pixels(responses).Should().ContainSingle(scheduler.Name);
        }
    }

    [Fact]
    public async Task Denoise_FromAPicture_RunsTheShareOfStepsThatStrengthSays()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.Steps = 10;
        start.Init = new InitImage { Strength = 0.5 };
        start.Scheduler = new SchedulerChoice { Name = "euler" };

        var responses = await DenoiseCall.RunAsync(
            fleet.Denoiser,
            [
                .. DenoiseCall.Messages(start),
                .. DenoiseCall.Tensor("init_mean", DenoiseCall.Values(1024, 5), 1, 4, 16, 16),
                .. DenoiseCall.Tensor("init_std", new float[1024], 1, 4, 16, 16),
            ]);

        responses[0].Accepted.Steps.Should().Be(5);
        responses.Where(r => r.Progress is { Step: > 0 }).Select(r => r.Progress.Step).Should().Equal(1, 2, 3, 4, 5);
        responses.First(r => r.Done is not null).Done.NetworkCalls.Should().Be(5);
        DenoiseCall.Pixels(responses).Should().ContainSingle();
    }

    [Fact]
    public async Task Denoise_WithAMask_KeepsThePictureOutsideIt()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.Init = new InitImage { Strength = 1 };
        start.Inpaint = true;
        float[] init = DenoiseCall.Values(1024, 5);
        IEnumerable<DenoiseRequest> With(float mask) =>
        [
            .. DenoiseCall.Messages(start),
            .. DenoiseCall.Tensor("init_mean", init, 1, 4, 16, 16),
            .. DenoiseCall.Tensor("init_std", new float[1024], 1, 4, 16, 16),
            .. DenoiseCall.Tensor("mask", [.. Enumerable.Repeat(mask, 256)], 1, 1, 16, 16),
            .. DenoiseCall.Tensor("masked_mean", init, 1, 4, 16, 16),
            .. DenoiseCall.Tensor("masked_std", new float[1024], 1, 4, 16, 16),
        ];

        byte[] kept = DenoiseCall.File(await DenoiseCall.RunAsync(fleet.Denoiser, With(mask: 0)));
        start.Seed = 99;
        byte[] keptAgain = DenoiseCall.File(await DenoiseCall.RunAsync(fleet.Denoiser, With(mask: 0)));
        byte[] repainted = DenoiseCall.File(await DenoiseCall.RunAsync(fleet.Denoiser, With(mask: 1)));

        keptAgain.Should().Equal(kept, "nothing is repainted, whatever the seed");
        Difference(repainted, kept).Should().BeGreaterThan(20);
    }

    [Fact]
    public async Task Denoise_CallerGoesAway_FreesItsRowAndServesOthers()
    {
        var start = DenoiseCall.Start(fleet.Version);
        start.Steps = 999;
        start.Scheduler = new SchedulerChoice { Name = "ddim" };
        using var cancellation = new CancellationTokenSource();
        using (var call = new Contracts.Denoiser.V1.Denoiser.DenoiserClient(fleet.Denoiser).Denoise(cancellationToken: cancellation.Token))
        {
            foreach (var message in DenoiseCall.Messages(start))
            {
                await call.RequestStream.WriteAsync(message, TestContext.Current.CancellationToken);
            }

            await call.RequestStream.CompleteAsync();
            while (await call.ResponseStream.MoveNext(TestContext.Current.CancellationToken) && call.ResponseStream.Current.Progress is not { Step: > 0 })
            {
            }

            await cancellation.CancelAsync();
        }

        var next = await DenoiseCall.RunAsync(fleet.Denoiser, DenoiseCall.Messages(DenoiseCall.Start(fleet.Version)));

        next.Last(r => r.Progress is not null).Progress.BatchRows.Should().Be(2, "the job that went away has left the batch");
        DenoiseCall.Pixels(next).Should().ContainSingle();
    }

    private static int Difference(byte[] one, byte[] other)
    {
        byte[] a = PngReader.ReadPicture(one).Rgb;
        byte[] b = PngReader.ReadPicture(other).Rgb;
        return a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
    }
}
