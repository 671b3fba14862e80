using Fleet.Client.Rollouts;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Rollouts;

/// <summary>Plans in files.</summary>
internal static class PlanOption
{
    public static RolloutPlan Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new CommandException(ExitCode.NotFound, $"'{path}' is no file", "'fleet rollout plan' prints one to begin with");
        }

        try
        {
            return PlanFile.Read(path);
        }
        catch (PlanFormatException exception)
        {
            throw new CommandException(ExitCode.BadData, $"'{path}': {exception.Message}", "docs/rollouts.md describes plans", exception);
        }
    }
}
