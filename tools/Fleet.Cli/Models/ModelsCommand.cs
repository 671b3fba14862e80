using System.CommandLine;
using Fleet.Cli.Fleets;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models</c>: what the registry holds.</summary>
internal static class ModelsCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "models",
            "Publish, list and fetch models",
            "fleet models push ./my-model --name studio/my-model --alias stable",
            "fleet models list",
            "fleet models synth small -o small-model")
        {
            PushCommand.Create(),
            ListCommand.Create(),
            ShowCommand.Create(),
            PullCommand.Create(),
            AliasCommand.Create(),
            SynthCommand.Create(),
        };
        return command;
    }
}
