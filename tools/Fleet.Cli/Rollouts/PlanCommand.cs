using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;
using Fleet.Client.Rollouts;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout plan</c>: the plan that a rollout would have.</summary>
internal static class PlanCommand
{
    private static readonly Option<string?> Check = ValueOption.Text("--check", "FILE", "Check this plan instead of the standard one");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "plan",
            "Print a plan with its defaults filled in, as YAML; with --check, say what is wrong with a file",
            "fleet rollout plan > plan.yaml",
            "fleet rollout plan --check plan.yaml")
        {
            Check,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string? file = parsed.GetValue(Check);
        var given = file is null ? StandardPlan.Create() : PlanOption.Read(file);
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var (plan, faults) = await registry.Rollouts.CheckPlanAsync(given, cancellation);

        output.Event(new PlanEvent(RolloutJson.Of(plan), faults));
        if (faults.Count > 0)
        {
            throw new CommandException(ExitCode.BadData, $"'{file}': {string.Join(' ', faults)}");
        }

        foreach (string line in PlanFile.Write(plan).TrimEnd().Split('\n'))
        {
            output.Result(line);
        }

        return ExitCode.Success;
    }
}
