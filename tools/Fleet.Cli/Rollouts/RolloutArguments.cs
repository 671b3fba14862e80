using System.CommandLine;

namespace Fleet.Cli.Rollouts;

/// <summary>Arguments that several commands take.</summary>
internal static class RolloutArguments
{
    public static readonly Argument<string> Rollout = new("rollout") { Description = "Id of a rollout, or a model's name: its newest rollout" };
}
