using Fleet.Cli.Terminal;
using Fleet.Client.Rollouts;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Rollouts;

/// <summary>Shows a rollout until it has ended: redrawn in place in a terminal, else a line or an event for each change.</summary>
internal sealed class RolloutWatch(RolloutClient rollouts, Output output)
{
    public async Task<int> RunAsync(string idOrModel, CancellationToken cancellation)
    {
        var ended = output.Screen is { } screen
            ? await new LiveRollout(screen).WhileAsync(show => FollowAsync(idOrModel, show, cancellation))
            : await FollowAsync(idOrModel, Say, cancellation);
        output.Result($"{ended.Id}  {RolloutText.Words(ended.State)}: {ended.Verdicts.LastOrDefault()?.Reason ?? ended.Reason}");
        return ended.State == RolloutState.Promoted ? ExitCode.Success : ExitCode.Negative;
    }

    private async Task<Rollout> FollowAsync(string idOrModel, Action<Rollout> show, CancellationToken cancellation)
    {
        Rollout? last = null;
        await foreach (var rollout in rollouts.WatchAsync(idOrModel, cancellation))
        {
            output.Event(new RolloutEvent(RolloutJson.Of(rollout)));
            show(rollout);
            last = rollout;
        }

        return last!;
    }

    private void Say(Rollout rollout) => output.Say(RolloutText.Line(rollout));
}
