using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout watch</c>: a rollout until it has ended.</summary>
internal static class WatchCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "watch",
            "Watch a rollout until it has ended; exit code 0 when the canary was promoted, else 1",
            "fleet rollout watch studio/fox",
            "fleet rollout watch ro-0123456789ab --json")
        {
            RolloutArguments.Rollout,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        return await new RolloutWatch(registry.Rollouts, parsed.Output()).RunAsync(parsed.GetValue(RolloutArguments.Rollout)!, cancellation);
    }
}
