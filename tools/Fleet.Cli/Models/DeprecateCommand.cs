using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models deprecate</c>: marks a version as one not to be used any more.</summary>
internal static class DeprecateCommand
{
    private static readonly Option<string?> Reason = ValueOption.Text("--reason", "TEXT", "Why it should not be used any more");

    private static readonly Option<bool> Undo = new("--undo") { Description = "Take the mark away" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "deprecate",
            "Mark a version as one not to be used any more. It goes on serving; it cannot begin a rollout and is no 'newest version'",
            "fleet models deprecate studio/fox@sha256:0123456789ab --reason \"trained on the wrong data\"",
            "fleet models deprecate studio/fox@sha256:0123456789ab --undo")
        {
            ShowCommand.Reference,
            Reason,
            Undo,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string reason = parsed.GetValue(Reason) ?? "";
        if (reason == "" != parsed.GetValue(Undo))
        {
            throw new CommandException(ExitCode.BadInput, "one of --reason and --undo is needed");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var version = await registry.Client.ResolveAsync(parsed.GetValue(ShowCommand.Reference)!, cancellation);
        VersionReport.Write(await registry.Client.DeprecateAsync(version.Model, version.Digest, reason, cancellation), parsed.Output());
        return ExitCode.Success;
    }
}
