using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models delete</c>: deletes a version that nothing refers to.</summary>
internal static class DeleteCommand
{
    private static readonly Argument<string> Reference = new("reference")
    {
        Description = "MODEL@sha256:DIGEST or sha256:DIGEST: only a digest says for certain what goes",
    };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "delete",
            "Delete a version that no alias, rollout or other version refers to; 'fleet models gc' then frees its space",
            "fleet models delete studio/fox@sha256:0123456789ab")
        {
            Reference,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string reference = parsed.GetValue(Reference)!;
        if (!reference.Contains("sha256:", StringComparison.Ordinal))
        {
            throw new CommandException(ExitCode.BadInput, $"'{reference}' names no digest", "'fleet models list MODEL' shows them");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var version = await registry.Client.ResolveAsync(reference, cancellation);
        await registry.Client.DeleteAsync(version.Model, version.Digest, cancellation);
        output.Event(new DeletedEvent(version.Model, version.Digest));
        output.Result($"{version.Model}@{version.Digest} is deleted");
        return ExitCode.Success;
    }
}
