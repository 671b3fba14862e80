using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout list</c>: rollouts, newest first.</summary>
internal static class ListCommand
{
    private static readonly Argument<string?> Model = new("model")
    {
        Description = "Only rollouts of this model",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<bool> Running = new("--running") { Description = "Only those that have not ended" };

    public static Command Create()
    {
        var command = new DocumentedCommand("list", "List rollouts, newest first", "fleet rollout list --running", "fleet rollout list studio/fox --json")
        {
            Model,
            Running,
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
        var rollouts = await registry.Rollouts.ListAsync(parsed.GetValue(Model) ?? "", parsed.GetValue(Running), cancellation).ToListAsync(cancellation);
        if (rollouts.Count == 0)
        {
            output.Say("There are no rollouts; 'fleet rollout start' begins one.");
            return ExitCode.Success;
        }

        rollouts.ForEach(rollout => output.Event(new RolloutEvent(RolloutJson.Of(rollout))));
        var lines = TextTable.Format(
            ["ROLLOUT", "MODEL", "CANARY", "STATE", "BEGAN", "BY"],
            [
                .. rollouts.Select(rollout => (IReadOnlyList<string>)
                [
                    rollout.Id, rollout.Model, VersionReport.Short(rollout.Canary), RolloutText.State(rollout),
                    $"{rollout.CreatedAt.ToDateTimeOffset():yyyy-MM-dd HH:mm}", rollout.Actor,
                ]),
            ]);
        foreach (string line in lines)
        {
            output.Result(line);
        }

        return ExitCode.Success;
    }
}
