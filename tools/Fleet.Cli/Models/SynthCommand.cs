using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Diffusion.Weights;
using Spectre.Console;
using static TorchSharp.torch;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models synth</c>: a checkpoint of a real architecture with random weights.</summary>
internal static class SynthCommand
{
    private static readonly Argument<string> Architecture = new("architecture")
    {
        Description = string.Join("; ", SyntheticArchitecture.All.Select(a => $"{a.Name}: {a.Description}")),
    };

    private static readonly Option<string> Folder = new("--output", "-o")
    {
        HelpName = "FOLDER",
        Description = "Folder to write; it must be empty or not exist",
        Required = true,
    };

    private static readonly Option<long?> Seed = ValueOption.Long("--seed", "N", "The same seed gives the same bytes [default: 0]");

    private static readonly Option<string> Type = new("--dtype")
    {
        HelpName = "TYPE",
        Description = "Element type of the weights: float32, float16 or bfloat16",
        DefaultValueFactory = _ => "float32",
    };

    private static readonly Option<string?> Tokenizer = ValueOption.Text(
        "--tokenizer", "FOLDER", "Folder with vocab.json and merges.txt to copy [default: the small one that comes with the program]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "synth",
            "Write a checkpoint of a real architecture and size with random weights, for benchmarks and capacity tests without a download",
            "fleet models synth small -o small-model",
            "fleet models synth sd15 -o sd15-random --dtype float16",
            "fleet models push sd15-random --name random/sd15")
        {
            Architecture,
            Folder,
            Seed,
            Type,
            Tokenizer,
        };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        var output = parsed.Output();
        string name = parsed.GetValue(Architecture)!;
        var architecture = SyntheticArchitecture.All.FirstOrDefault(a => a.Name == name) ?? throw new CommandException(
            ExitCode.BadInput, $"there is no architecture '{name}'", $"there are {string.Join(", ", SyntheticArchitecture.All.Select(a => a.Name))}");
        string folder = ModelFolder.MustBeFree(parsed.GetValue(Folder)!, "name a new folder");
        string tokenizer = parsed.GetValue(Tokenizer) ?? Path.Combine(DefaultModel.Folder, "tokenizer");
        if (!File.Exists(Path.Combine(tokenizer, "vocab.json")))
        {
            throw new CommandException(ExitCode.NotFound, $"--tokenizer names '{tokenizer}', which holds no vocab.json");
        }

        ulong seed = (ulong)(parsed.GetValue(Seed) ?? 0);
        var dtype = TypeNamed(parsed.GetValue(Type)!);
        if (output.Screen is { } screen)
        {
            screen.Progress().AutoClear(true).Start(context =>
                SyntheticCheckpoint.Write(folder, architecture, tokenizer, seed, dtype, new Bar(context.AddTask(name, maxValue: 1))));
        }
        else
        {
            SyntheticCheckpoint.Write(folder, architecture, tokenizer, seed, dtype);
        }

        output.Event(new WrittenEvent(folder, Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length)));
        output.Result(folder);
        return ExitCode.Success;
    }

    private static ScalarType TypeNamed(string name) => name switch
    {
        "float32" => ScalarType.Float32,
        "float16" => ScalarType.Float16,
        "bfloat16" => ScalarType.BFloat16,
        _ => throw new CommandException(ExitCode.BadInput, $"--dtype is '{name}'; it must be float32, float16 or bfloat16"),
    };

    private sealed class Bar(ProgressTask task) : IProgress<double>
    {
        public void Report(double value) => task.Value = value;
    }
}
