using System.CommandLine;
using System.Security.Cryptography;
using Fleet.Cli.Fleets;
using Fleet.Cli.Generate;
using Fleet.Cli.Terminal;
using Fleet.Client;
using Fleet.Diffusion.Imaging;

namespace Fleet.Cli.Recipes;

/// <summary><c>fleet replay</c>: makes a picture again from its recipe and compares.</summary>
internal static class ReplayCommand
{
    private static readonly Option<bool> PixelsAreEnough = new("--pixels")
    {
        Description = "Be content with equal pixels: the files differ when another release of Fleet made the picture",
    };

    private static readonly Option<string?> SaveTo = ValueOption.Text("--output", "FILE", "Keep the new picture", "-o");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "replay",
            "Make a picture again from the recipe in its file and compare. Exit code 0: the same bytes; 1: not",
            "fleet replay fox.png",
            "fleet replay snow-fox.png --init fox.png --mask snow.png",
            "fleet replay fox.png --fleet http://127.0.0.1:7860 --pixels -o again.png")
        {
            InspectCommand.Picture,
            GenerateOptions.InitImage,
            GenerateOptions.Mask,
            SaveTo,
            PixelsAreEnough,
            FleetOptions.Fleet,
            FleetOptions.Device,
            FleetOptions.Threads,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        var original = await PictureRecipe.ReadAsync(parsed.GetValue(InspectCommand.Picture)!, cancellation);
        var request = await RequestAsync(original, parsed, cancellation);

        await using var fleet = await FleetConnection.OpenAsync(parsed, output, original.Recipe.Model, cancellation);
        ImageReceived? again = null;
        await new GenerationRun(fleet.Client, output).RunAsync(
            request,
            (_, image) =>
            {
                again = image;
                return Task.CompletedTask;
            },
            cancellation);
        return await CompareAsync(original, again!.File, parsed, output, cancellation);
    }

    private static async Task<GenerationRequest> RequestAsync(PictureRecipe original, ParseResult parsed, CancellationToken cancellation)
    {
        var initImage = await GenerateOptions.ReadFileAsync("--init", parsed.GetValue(GenerateOptions.InitImage), cancellation);
        var mask = await GenerateOptions.ReadFileAsync("--mask", parsed.GetValue(GenerateOptions.Mask), cancellation);
        try
        {
            return GenerationRequest.FromRecipe(original.Recipe, initImage, mask) with { RequestId = Guid.NewGuid().ToString("n") };
        }
        catch (ArgumentException exception)
        {
            string option = exception.ParamName is "mask" ? "--mask" : "--init";
            throw new CommandException(
                ExitCode.BadInput, $"{option}: {exception.Message.Replace($" (Parameter '{exception.ParamName}')", "", StringComparison.Ordinal)}",
                "give the files that the picture was made from", exception);
        }
    }

    private static async Task<int> CompareAsync(
        PictureRecipe original, ReadOnlyMemory<byte> again, ParseResult parsed, Output output, CancellationToken cancellation)
    {
        string? saved = parsed.GetValue(SaveTo);
        if (saved is not null)
        {
            saved = await PictureFile.WriteAsync(saved, again, replaceExisting: true, cancellation);
        }

        bool sameBytes = again.Span.SequenceEqual(original.File);
        bool samePixels = sameBytes || PngReader.ReadPicture(again).Rgb.AsSpan().SequenceEqual(PngReader.ReadPicture(original.File).Rgb);
        output.Event(new ReplayEvent(
            original.Path, sameBytes, samePixels, Convert.ToHexStringLower(SHA256.HashData(original.File)),
            Convert.ToHexStringLower(SHA256.HashData(again.Span)), saved));
        output.Result((sameBytes, samePixels) switch
        {
            (true, _) => $"{original.Path}: the same {original.File.Length} bytes",
            (false, true) => $"{original.Path}: the same pixels in a file that differs",
            _ => $"{original.Path}: another picture",
        });
        return sameBytes || (samePixels && parsed.GetValue(PixelsAreEnough)) ? ExitCode.Success : ExitCode.Negative;
    }
}
