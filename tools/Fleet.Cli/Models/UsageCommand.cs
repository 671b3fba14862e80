using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models usage</c>: what namespaces hold, and their quotas.</summary>
internal static class UsageCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "usage",
            "Show how many bytes each namespace holds, and its quota",
            "fleet models usage")
        {
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    public static void Write(IReadOnlyList<Usage> usages, Output output)
    {
        foreach (var usage in usages)
        {
            output.Event(new UsageEvent(usage.Namespace, usage.Bytes, usage.QuotaBytes == 0 ? null : usage.QuotaBytes, usage.Versions));
        }

        var lines = TextTable.Format(
            ["NAMESPACE", "VERSIONS", "HELD", "QUOTA"],
            [
                .. usages.Select(usage => (IReadOnlyList<string>)
                    [usage.Namespace, $"{usage.Versions}", Units.Bytes(usage.Bytes), usage.QuotaBytes == 0 ? "none" : Units.Bytes(usage.QuotaBytes)]),
            ]);
        foreach (string line in lines)
        {
            output.Result(line);
        }
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        Write(await registry.Client.ListUsageAsync(cancellation), parsed.Output());
        return ExitCode.Success;
    }
}
