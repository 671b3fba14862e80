using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Audit;

/// <summary><c>fleet audit verify</c>: recomputes the log's chain of hashes.</summary>
internal static class AuditVerifyCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "verify",
            "Recompute the log's chain of hashes and compare what it says with the catalog. Exit code 1 when something does not fit",
            "fleet audit verify",
            "fleet audit verify --json")
        {
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var log = await registry.Client.VerifyLogAsync(cancellation);
        string head = Convert.ToHexStringLower(log.Head.Span);
        output.Event(new AuditCheckEvent(log.Entries, head, [.. log.Faults]));
        foreach (string fault in log.Faults)
        {
            output.Result(fault);
        }

        output.Result($"{log.Entries} entries, {(log.Faults.Count == 0 ? "none changed" : $"{log.Faults.Count} faults")}; the last one's hash is {head}");
        return log.Faults.Count == 0 ? ExitCode.Success : ExitCode.Negative;
    }
}
