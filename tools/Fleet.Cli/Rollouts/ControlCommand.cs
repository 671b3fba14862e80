using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout pause</c> and the other orders that override the judge.</summary>
internal static class ControlCommand
{
    private static readonly Option<string> Reason = new("--reason")
    {
        HelpName = "TEXT",
        Description = "Why; it is kept with the verdict and in the audit log",
        Required = true,
    };

    public static Command Create(string name, string description, RolloutAction action)
    {
        var command = new DocumentedCommand(name, description, $"fleet rollout {name} ro-0123456789ab --reason \"asked for by the studio\"")
        {
            RolloutArguments.Rollout,
            Reason,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction((parsed, cancellation) => RunAsync(parsed, action, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, RolloutAction action, CancellationToken cancellation)
    {
        var output = parsed.Output();
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var rollout = await registry.Rollouts.ControlAsync(
            parsed.GetValue(RolloutArguments.Rollout)!, action, parsed.GetValue(Reason)!, cancellation);
        output.Event(new RolloutEvent(RolloutJson.Of(rollout)));
        output.Result($"{rollout.Id}  {RolloutText.State(rollout)}");
        return ExitCode.Success;
    }
}
