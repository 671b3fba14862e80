using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Models;
using Fleet.Cli.Terminal;
using Fleet.Client.Rollouts;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout start</c>: begins to move a model to another version.</summary>
internal static class StartCommand
{
    private static readonly Argument<string> Model = new("model") { Description = "Model name" };

    private static readonly Argument<string> Canary = new("canary")
    {
        Description = "The version to move to: a digest, MODEL@ALIAS or MODEL@sha256:DIGEST; 12 digits of a digest are enough",
    };

    private static readonly Option<string?> Plan = ValueOption.Text("--plan", "FILE", "Plan in YAML [default: what 'fleet rollout plan' prints]");

    private static readonly Option<bool> Watch = new("--watch") { Description = "Watch it until it has ended" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "start",
            "Start a rollout: replicas load the canary, then traffic moves step by step while the judge watches",
            "fleet rollout start studio/fox sha256:0123456789ab --watch",
            "fleet rollout start studio/fox studio/fox@candidate --plan careful.yaml")
        {
            Model,
            Canary,
            Plan,
            Watch,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        var plan = parsed.GetValue(Plan) is { } file ? PlanOption.Read(file) : StandardPlan.Create();
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var rollout = await registry.Rollouts.StartAsync(parsed.GetValue(Model)!, parsed.GetValue(Canary)!, plan, cancellation);
        if (parsed.GetValue(Watch))
        {
            return await new RolloutWatch(registry.Rollouts, output).RunAsync(rollout.Id, cancellation);
        }

        output.Event(new RolloutEvent(RolloutJson.Of(rollout)));
        output.Result(rollout.Id);
        output.Say($"'fleet rollout watch {rollout.Id}' shows how it goes");
        return ExitCode.Success;
    }
}
