using System.CommandLine;
using Fleet.Cli.Audit;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models history</c>: what happened to a model, and what an alias pointed at in the past.</summary>
internal static class HistoryCommand
{
    private static readonly Argument<string> Model = new("model") { Description = "Model name" };

    private static readonly Option<string?> AliasName = ValueOption.Text("--alias", "NAME", "Only this alias [with --at: stable]");

    private static readonly Option<DateTimeOffset?> At = MomentOption.Create("--at", "Say what the alias pointed at then");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "history",
            "What happened to a model, newest first; or with --at, which version was live at a moment",
            "fleet models history studio/fox",
            "fleet models history studio/fox --at 2026-05-01T10:00Z",
            "fleet models history studio/fox --alias canary --json")
        {
            Model,
            AliasName,
            At,
            AuditOptions.Limit,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string model = parsed.GetValue(Model)!;
        string alias = parsed.GetValue(AliasName) ?? "";
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        if (parsed.GetValue(At) is { } moment)
        {
            var live = await registry.Client.GetAliasAtAsync(model, alias, moment, cancellation);
            var since = live.Entry.At.ToDateTimeOffset();
            output.Event(new LiveEvent(model, live.Entry.Subject, moment, live.Version, since, live.Entry.Actor));
            output.Result($"{model}@{live.Entry.Subject} was {live.Version}");
            output.Result($"set {since:yyyy-MM-dd HH:mm:ss} UTC by {live.Entry.Actor}");
            return ExitCode.Success;
        }

        var wanted = new ListEntriesRequest { Model = model, Subject = alias, NewestFirst = true };
        return await AuditOptions.WriteAsync(registry.Client.ListEntriesAsync(wanted, cancellation), parsed, cancellation);
    }
}
