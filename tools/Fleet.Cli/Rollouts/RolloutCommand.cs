using System.CommandLine;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Rollouts;

/// <summary><c>fleet rollout</c>: moves a model to another version, judged by its pictures.</summary>
internal static class RolloutCommand
{
    public static Command Create() => new DocumentedCommand(
        "rollout",
        "Move a model to another version, judged by its pictures",
        "fleet rollout start studio/fox sha256:0123456789ab --watch",
        "fleet rollout plan --check plan.yaml",
        "fleet rollout show studio/fox")
    {
        PlanCommand.Create(),
        StartCommand.Create(),
        ListCommand.Create(),
        ShowCommand.Create(),
        WatchCommand.Create(),
        ControlCommand.Create("pause", "Leave the traffic where it is and decide nothing, except that a guard still rolls back", RolloutAction.Pause),
        ControlCommand.Create("resume", "Go on with a rollout that was paused", RolloutAction.Resume),
        ControlCommand.Create("step", "Go on to the next step, whatever the tests say", RolloutAction.Step),
        ControlCommand.Create("promote", "Promote the canary now, whatever the tests say", RolloutAction.Promote),
        ControlCommand.Create("rollback", "Take the canary's traffic away now", RolloutAction.RollBack),
    };
}
