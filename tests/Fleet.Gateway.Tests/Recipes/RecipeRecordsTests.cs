using Fleet.Contracts;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Recipes;

namespace Fleet.Gateway.Tests.Recipes;

public class RecipeRecordsTests
{
    private static readonly Recipe Fox = new()
    {
        Schema = 1,
        Model = "tiny",
        Version = "sha256:0123456789abcdef" + new string('0', 48),
        Prompt = "a fox",
        Width = 512,
        Height = 640,
        Steps = 20,
        GuidanceScale = 7.5,
        Seed = 40,
        Fleet = "0.1.0",
    };

    [Fact]
    public void For_PlainRequest_ParametersAreInTheKnownForm()
    {
        Parameters(Fox, "PLMS").Should().Be(
            "a fox\nSteps: 20, Sampler: PLMS, CFG scale: 7.5, Seed: 42, Size: 512x640, Model hash: 0123456789, Model: tiny, Version: Fleet 0.1.0");
    }

    [Fact]
    public void For_EverythingSet_ParametersNameIt()
    {
        var recipe = new Recipe(Fox) { NegativePrompt = "blurry\nugly", Sigmas = "karras", GuidanceScale = 7, ClipSkip = 1, Strength = 0.6 };

        Parameters(recipe, "DPM++ 2M").Should().Be(
            "a fox\nNegative prompt: blurry\nugly\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x640, "
            + "Model hash: 0123456789, Model: tiny, Denoising strength: 0.6, Clip skip: 2, Version: Fleet 0.1.0");
    }

    [Theory]
    [InlineData("a fox")]
    [InlineData("{seed} of {index}")]
    [InlineData("{{seed}} {{{index}} {{ } {seeds} {")]
    [InlineData("\"seed\": \"1\" and <b>quotes\\</b> 🦊 ñ\n\t")]
    public void For_AnyPrompt_JsonIsTheRecipeOfThePicture(string prompt)
    {
        var recipe = new Recipe(Fox) { Prompt = prompt, NegativePrompt = prompt };

        var read = Recipe.Parser.ParseJson(Expanded(recipe, "PLMS", RecipeRecords.JsonKeyword));

        read.Should().Be(new Recipe(recipe) { Seed = 42 });
        Parameters(recipe, "PLMS").Should().StartWith($"{prompt}\nNegative prompt: {prompt}\nSteps: 20");
    }

    [Fact]
    public void For_LongestPromptsOfTheWorstCharacters_FitTheDecodersLimit()
    {
        string prompt = new('<', 16_384); // JSON writes each as six characters
        var recipe = new Recipe(Fox) { Prompt = prompt, NegativePrompt = prompt };

        RecipeRecords.For(recipe, "PLMS").Should().AllSatisfy(record => record.CalculateSize().Should().BeLessThan(256 * 1024));
    }

    [Theory]
    [InlineData("euler-a", "Euler a")]
    [InlineData("dpmpp-2m", "DPM++ 2M")]
    [InlineData("pndm", "PLMS")]
    [InlineData("NewScheduler", "NewScheduler")]
    public void Sampler_OfAScheduler_HasTheOtherProgramsName(string scheduler, string name)
    {
        SamplerNames.Sampler(scheduler).Should().Be(name);
    }

    private static string Parameters(Recipe recipe, string sampler) => Expanded(recipe, sampler, RecipeRecords.ParametersKeyword);

    // As the decoder writes it into the third picture.
    private static string Expanded(Recipe recipe, string sampler, string keyword)
    {
        var record = RecipeRecords.For(recipe, sampler).Single(record => record.Keyword == keyword);
        record.Templated.Should().BeTrue();
        return ImageTextTemplate.Expand(record.Text, seed: recipe.Seed + 2, index: 2);
    }
}
