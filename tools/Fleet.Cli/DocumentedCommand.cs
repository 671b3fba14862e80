using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace Fleet.Cli;

/// <summary>A command whose help ends with examples.</summary>
internal sealed class DocumentedCommand(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples => examples;
}

/// <summary>The standard help, then the command's examples and the exit codes.</summary>
internal sealed class HelpWithExamples(HelpAction standard) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        standard.Invoke(parseResult);

        var output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is DocumentedCommand { Examples.Count: > 0 } command)
        {
            output.WriteLine("Examples:");
            foreach (string example in command.Examples)
            {
                output.WriteLine($"  {example}");
            }

            output.WriteLine();
        }

        output.WriteLine("Exit codes:");
        foreach (var (code, meaning) in ExitCode.All)
        {
            output.WriteLine($"  {code,-4} {meaning}");
        }

        output.WriteLine();
        return ExitCode.Success;
    }
}

/// <summary>What is wrong with a command line that could not be parsed.</summary>
internal static class ParseFailure
{
    public static CommandException From(ParseResult parsed) => new(
        ExitCode.BadInput,
        parsed.UnmatchedTokens.Count > 0
            ? $"'{parsed.UnmatchedTokens[0]}' is no command, option or argument here"
            : parsed.Errors[0].Message.TrimEnd('.'),
        $"'{Path(parsed)} --help' describes what there is");

    // The command as it is typed: "fleet models push".
    private static string Path(ParseResult parsed)
    {
        string path = parsed.CommandResult.Command.Name;
        for (var parent = parsed.CommandResult.Parent; parent is CommandResult above; parent = above.Parent)
        {
            path = $"{above.Command.Name} {path}";
        }

        return path;
    }
}
