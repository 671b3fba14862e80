using System.Text.Json;
using Fleet.Contracts.Generation.V1;
using Fleet.Diffusion.Imaging;
using Google.Protobuf;

namespace Fleet.Cli.Recipes;

/// <summary>A picture file and the recipe that it carries.</summary>
internal sealed record PictureRecipe(string Path, byte[] File, Recipe Recipe, IReadOnlyList<TextRecord> Records)
{
    /// <summary>Keyword of the text record that holds the recipe as JSON.</summary>
    public const string Keyword = "fleet";

    // A later Fleet may have added fields: they are shown from the record and ignored here.
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>The recipe as the file has it.</summary>
    public JsonElement Json => JsonDocument.Parse(Records.First(record => record.Keyword == Keyword).Text).RootElement;

    public static JsonElement ToJson(Recipe recipe) => JsonDocument.Parse(JsonFormatter.Default.Format(recipe)).RootElement;

    public static async Task<PictureRecipe> ReadAsync(string path, CancellationToken cancellation)
    {
        if (!System.IO.File.Exists(path))
        {
            throw new CommandException(ExitCode.NotFound, $"'{path}' is no file");
        }

        byte[] file = await System.IO.File.ReadAllBytesAsync(path, cancellation);
        try
        {
            var records = PngReader.ReadText(file);
            var record = records.FirstOrDefault(r => r.Keyword == Keyword) ?? throw new CommandException(
                ExitCode.BadData,
                $"'{path}' carries no recipe" + (records.Count > 0 ? $", only: {string.Join(", ", records.Select(r => r.Keyword))}" : ""),
                "only PNG files as Fleet wrote them have one; programs that edit or convert pictures drop it");
            return new PictureRecipe(path, file, Parser.Parse<Recipe>(record.Text), records);
        }
        catch (PictureFormatException exception)
        {
            throw new CommandException(ExitCode.BadData, $"'{path}': {exception.Message}", inner: exception);
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw new CommandException(ExitCode.BadData, $"'{path}' has a damaged recipe: {exception.Message}", inner: exception);
        }
    }
}
