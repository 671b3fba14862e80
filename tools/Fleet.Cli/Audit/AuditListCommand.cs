using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Cli.Audit;

/// <summary><c>fleet audit list</c>: entries of the log, newest first.</summary>
internal static class AuditListCommand
{
    private static readonly Option<string?> Model = ValueOption.Text("--model", "MODEL", "Only entries of this model");

    private static readonly Option<string?> Subject = ValueOption.Text("--subject", "TEXT", "Only entries about this: an alias, a version's whole digest, a rollout");

    private static readonly Option<string?> Action = ValueOption.Text("--action", "NAME", "Only this kind, such as alias.set or version.publish");

    private static readonly Option<DateTimeOffset?> Since = MomentOption.Create("--since", "Only entries from then on");

    private static readonly Option<DateTimeOffset?> Until = MomentOption.Create("--until", "Only entries before then");

    private static readonly Option<bool> OldestFirst = new("--oldest-first") { Description = "Begin with the oldest" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "list",
            "List what was changed in the registry, when and by whom, newest first",
            "fleet audit list",
            "fleet audit list --model studio/fox --action alias.set --since 2026-05-01",
            "fleet audit list --oldest-first --limit 1000 --json")
        {
            Model,
            Subject,
            Action,
            Since,
            Until,
            OldestFirst,
            AuditOptions.Limit,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var wanted = new ListEntriesRequest
        {
            Model = parsed.GetValue(Model) ?? "",
            Subject = parsed.GetValue(Subject) ?? "",
            Action = parsed.GetValue(Action) ?? "",
            Since = parsed.GetValue(Since) is { } since ? Timestamp.FromDateTimeOffset(since) : null,
            Until = parsed.GetValue(Until) is { } until ? Timestamp.FromDateTimeOffset(until) : null,
            NewestFirst = !parsed.GetValue(OldestFirst),
        };
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        return await AuditOptions.WriteAsync(registry.Client.ListEntriesAsync(wanted, cancellation), parsed, cancellation);
    }
}
