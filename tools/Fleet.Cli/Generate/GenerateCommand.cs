using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Recipes;
using Fleet.Cli.Terminal;
using Fleet.Client;
using Fleet.Contracts.Generation.V1;

namespace Fleet.Cli.Generate;

/// <summary><c>fleet generate</c>: pictures from a prompt.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "generate",
            "Make pictures from a prompt. The paths written go to standard output",
            "fleet generate \"a photo of a fox\" -o fox.png",
            "fleet generate \"a photo of a fox\" --negative blurry --steps 30 --guidance 6 --seed 7 --size 512x768",
            "fleet generate \"a lighthouse\" --sampler dpmpp-2m --schedule karras --count 4 -o 'out/{model}-{seed}.png'",
            "fleet generate \"in the snow\" --init fox.png --strength 0.6 --mask snow.png -o snow-fox.png",
            "fleet generate - --json --fleet http://127.0.0.1:7860 < prompt.txt");
        GenerateOptions.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string? pattern = parsed.GetValue(GenerateOptions.OutputPath);
        bool toStandardOutput = pattern is "-";
        if (toStandardOutput && (output.Mode == OutputMode.Json || parsed.GetValue(GenerateOptions.Count) > 1))
        {
            throw new CommandException(ExitCode.BadInput, "--output - writes one picture to standard output", "leave out --json and --count");
        }

        var paths = OutputPattern.Parse(pattern, parsed.GetValue(GenerateOptions.Count) ?? 1, parsed.GetValue(GenerateOptions.KeepExisting));
        var request = await GenerateOptions.ReadAsync(parsed, output, cancellation);

        await using var fleet = await FleetConnection.OpenAsync(parsed, output, request.Model, cancellation);
        var saved = new List<string>();
        try
        {
            var receipt = await new GenerationRun(fleet.Client, output).RunAsync(
                request,
                async (accepted, image) =>
                {
                    if (toStandardOutput)
                    {
                        await WriteToStandardOutputAsync(image, cancellation);
                    }
                    else
                    {
                        saved.Add(await SaveAsync(paths, accepted, image, output, cancellation));
                    }
                },
                cancellation);
            Summarise(receipt, output);
        }
        catch (FleetInvalidRequestException exception)
        {
            throw new CommandException(ExitCode.BadInput, GenerateOptions.InOptions(exception.Message), inner: exception);
        }
        finally
        {
            saved.ForEach(output.Result); // not while the progress is being redrawn
        }

        return ExitCode.Success;
    }

    private static async Task<string> SaveAsync(
        OutputPattern paths, GenerationAccepted accepted, ImageReceived image, Output output, CancellationToken cancellation)
    {
        var facts = new PictureFacts(
            accepted.Model, accepted.Version, accepted.RequestId, image.ImageIndex, image.Seed, image.Width, image.Height, accepted.Steps);
        string path = await PictureFile.WriteAsync(paths.PathOf(facts), image.File, paths.ReplaceExisting, cancellation);
        output.Event(new ImageEvent(
            image.ImageIndex, path, image.Seed, image.Width, image.Height, image.File.Length, image.FileSha256, image.PixelsSha256));
        return path;
    }

    private static async Task WriteToStandardOutputAsync(ImageReceived image, CancellationToken cancellation)
    {
        await using var standardOutput = Console.OpenStandardOutput();
        await standardOutput.WriteAsync(image.File, cancellation);
    }

    private static void Summarise(Receipt receipt, Output output)
    {
        var recipe = receipt.Recipe;
        var timings = receipt.Timings;
        output.Event(new ReceiptEvent(
            receipt.RequestId,
            PictureRecipe.ToJson(recipe),
            new StageTimings(
                timings.TotalUs, timings.EncodeUs, timings.EncodeImageUs, timings.QueueUs, timings.DenoiseUs, timings.DecodeUs),
            receipt.PromptTokens,
            receipt.NegativePromptTokens));
        string sampler = recipe.Scheduler.Length > 0 ? $" of {recipe.Scheduler}" : "";
        output.Say(
            $"{recipe.Model}, {recipe.Width}x{recipe.Height}, {recipe.Steps} steps{sampler}, guidance {recipe.GuidanceScale}, " +
            $"seed {recipe.Seed}, {Units.Duration(TimeSpan.FromMicroseconds(timings.TotalUs))}");
        DefaultModel.SayWhatItIs(recipe.Model, output);
    }
}
