using System.Globalization;
using System.Text;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Google.Protobuf;

namespace Fleet.Gateway.Recipes;

/// <summary>The text records that each image file carries: the recipe as JSON, and in the form that other programs read.</summary>
internal static class RecipeRecords
{
    public const string JsonKeyword = "fleet";
    public const string ParametersKeyword = "parameters";

    /// <param name="recipe">Of the first picture; the decoder puts in each picture's own seed.</param>
    /// <param name="sampler">The scheduler as the "parameters" record calls it.</param>
    public static ImageText[] For(Recipe recipe, string sampler) =>
    [
        new() { Keyword = JsonKeyword, Text = Json(recipe), Templated = true },
        new() { Keyword = ParametersKeyword, Text = Parameters(recipe, sampler), Templated = true },
    ];

    private static string Json(Recipe recipe)
    {
        // Quotes inside the prompts are escaped, so these characters can only be the field itself.
        const string SeedField = "\"seed\": \"1\"";
        var withSeed = recipe.Clone();
        withSeed.Seed = 1;
        string json = ImageTextTemplate.Escape(JsonFormatter.Default.Format(withSeed));
        return json.Replace(SeedField, $"\"seed\": \"{ImageTextTemplate.Seed}\"", StringComparison.Ordinal);
    }

    private static string Parameters(Recipe recipe, string sampler)
    {
        var text = new StringBuilder(ImageTextTemplate.Escape(recipe.Prompt));
        if (recipe.NegativePrompt is not "")
        {
            text.Append("\nNegative prompt: ").Append(ImageTextTemplate.Escape(recipe.NegativePrompt));
        }

        var fields = new List<(string Name, string Value)>
        {
            ("Steps", Number(recipe.Steps)),
            ("Sampler", sampler),
            ("CFG scale", Number(recipe.GuidanceScale)),
            ("Seed", ImageTextTemplate.Seed),
            ("Size", $"{Number(recipe.Width)}x{Number(recipe.Height)}"),
            ("Model hash", recipe.Version["sha256:".Length..][..10]),
            ("Model", recipe.Model),
        };

        if (recipe.Sigmas is not "")
        {
            fields.Insert(2, ("Schedule type", SamplerNames.Schedule(recipe.Sigmas)));
        }

        if (recipe.HasStrength)
        {
            fields.Add(("Denoising strength", Number(recipe.Strength)));
        }

        if (recipe.ClipSkip > 0)
        {
            fields.Add(("Clip skip", Number(recipe.ClipSkip + 1))); // there the last layer is 1
        }

        fields.Add(("Version", $"Fleet {recipe.Fleet}"));
        return text.Append('\n').AppendJoin(", ", fields.Select(field => $"{field.Name}: {field.Value}")).ToString();
    }

    private static string Number(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
