using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Decoder;
using Fleet.Denoiser;
using Fleet.Diffusion.Imaging;
using Fleet.Encoder;
using Microsoft.AspNetCore.Builder;

namespace Fleet.Gateway.Tests;

// A picture through all services, as clients of a fleet see it.
public class WholeFleetTests(WholeFleet fleet) : IClassFixture<WholeFleet>
{
    private static readonly GenerationRequest Fox = new()
    {
        Prompt = "a fox named {seed}, (red:1.2)",
        NegativePrompt = "blurry",
        Steps = 6,
        Seed = 40,
        Count = 2,
        PreviewInterval = 2,
    };

    [Fact]
    public async Task Generate_TwoPictures_EachFileCarriesItsRecipe()
    {
        var events = await GenerateAsync(Fox);

        events.OfType<GenerationProgress>().Select(progress => progress.Step).Where(step => step > 0).Should().Equal(1, 2, 3, 4, 5, 6);
        events.OfType<PreviewReceived>().Should().NotBeEmpty();
        var recipe = events.OfType<ReceiptReceived>().Single().Receipt.Recipe;
        foreach (var image in events.OfType<ImageReceived>())
        {
            var records = PngReader.ReadText(image.File).ToDictionary(record => record.Keyword, record => record.Text);
            Recipe.Parser.ParseJson(records["fleet"]).Should().Be(new Recipe(recipe) { Seed = 40 + image.ImageIndex });
            records["parameters"].Should().StartWith("a fox named {seed}, (red:1.2)\nNegative prompt: blurry\nSteps: 6, Sampler: ")
                .And.Contain($"Seed: {40 + image.ImageIndex}, Size: {image.Width}x{image.Height}");
        }
    }

    [Fact]
    public async Task Generate_FromTheRecipeOfTheSecondPicture_MakesTheSameFile()
    {
        var second = (await GenerateAsync(Fox)).OfType<ImageReceived>().Single(image => image.ImageIndex == 1);
        var recipe = Recipe.Parser.ParseJson(PngReader.ReadText(second.File).Single(record => record.Keyword == "fleet").Text);

        var again = (await GenerateAsync(GenerationRequest.FromRecipe(recipe))).OfType<ImageReceived>().Single();

        again.FileSha256.Should().Be(second.FileSha256);
    }

    [Fact]
    public async Task Generate_FromAPictureUnderAMask_IsRepeatable()
    {
        var picture = (await GenerateAsync(Fox with { Count = 1 })).OfType<ImageReceived>().Single().File;
        var request = Fox with { Count = 1, InitImage = picture, Mask = picture, Strength = 0.5 };

        var first = await GenerateAsync(request);
        var recipe = first.OfType<ReceiptReceived>().Single().Receipt.Recipe;
        var again = await GenerateAsync(GenerationRequest.FromRecipe(recipe, picture, picture));

        first.OfType<GenerationAccepted>().Single().Steps.Should().BeLessThan(6);
        again.OfType<ImageReceived>().Single().FileSha256.Should().Be(first.OfType<ImageReceived>().Single().FileSha256);
    }

    [Theory]
    [InlineData("Denoiser", true)]
    [InlineData("Decoder", true)]
    [InlineData("Encoder", false)] // its part is done by then
    public async Task Generate_StageIsReplacedInTheMiddle_SameBytes(string stage, bool beginsAgain)
    {
        Func<string[], WebApplication> create = stage switch
        {
            "Denoiser" => DenoiserHost.Create,
            "Decoder" => DecoderHost.Create,
            _ => EncoderHost.Create,
        };
        var request = Fox with { Steps = 50, Count = 1 };
        var undisturbed = await GenerateAsync(request);
        Task? replacing = null;

        var events = new List<GenerationEvent>();
        await foreach (var happened in fleet.Client.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            events.Add(happened);
            replacing ??= happened is GenerationProgress { Step: > 0 } ? fleet.ReplaceAsync(stage, create) : null;
        }

        await replacing!;
        events.OfType<ImageReceived>().Single().FileSha256.Should().Be(undisturbed.OfType<ImageReceived>().Single().FileSha256);
        events.OfType<GenerationProgress>().Count(progress => progress.Step == 1).Should().Be(beginsAgain ? 2 : 1);
    }

    private async Task<List<GenerationEvent>> GenerateAsync(GenerationRequest request) =>
        await fleet.Client.GenerateAsync(request, TestContext.Current.CancellationToken).ToListAsync();
}
