using System.CommandLine;
using System.Text.Json;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Recipes;

/// <summary><c>fleet inspect</c>: how a picture was made, from the records in its file.</summary>
internal static class InspectCommand
{
    public static readonly Argument<string> Picture = new("picture") { Description = "A PNG file that Fleet made" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "inspect",
            "Show how a picture was made, from the recipe in its file",
            "fleet inspect fox.png",
            "fleet inspect fox.png --json")
        {
            Picture,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        var picture = await PictureRecipe.ReadAsync(parsed.GetValue(Picture)!, cancellation);
        var others = picture.Records.Where(record => record.Keyword != PictureRecipe.Keyword).ToList();

        output.Event(new RecipeEvent(picture.Path, picture.Json, others.DistinctBy(r => r.Keyword).ToDictionary(r => r.Keyword, r => r.Text)));
        foreach (var field in picture.Json.EnumerateObject())
        {
            output.Result($"{field.Name,-16} {(field.Value.ValueKind == JsonValueKind.String ? field.Value.GetString() : field.Value.GetRawText())}");
        }

        foreach (var record in others)
        {
            output.Result("");
            output.Result($"[{record.Keyword}]");
            output.Result(record.Text);
        }

        return ExitCode.Success;
    }
}
