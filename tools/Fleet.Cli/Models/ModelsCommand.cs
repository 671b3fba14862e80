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
            "Publish, find, compare, fetch, sign and look after models",
            "fleet models push ./my-model --name studio/my-model --alias stable",
            "fleet models diff studio/my-model@stable ./my-model-2",
            "fleet models history studio/my-model --at 2026-05-01T10:00Z",
            "fleet models synth small -o small-model")
        {
            // publish
            PushCommand.Create(),
            ImportCommand.Create(),
            AliasCommand.Create(),
            EditCommand.Create(),

            // find and compare
            ListCommand.Create(),
            ShowCommand.Create(),
            HistoryCommand.Create(),
            DiffCommand.Create(),

            // fetch and look after
            PullCommand.Create(),
            VerifyCommand.Create(),
            RepairCommand.Create(),

            // sign
            KeygenCommand.Create(),
            SignCommand.Create(),
            CheckSignatureCommand.Create(),

            // take away
            DeprecateCommand.Create(),
            DeleteCommand.Create(),
            GcCommand.Create(),
            UsageCommand.Create(),
            QuotaCommand.Create(),

            SynthCommand.Create(),
        };
        return command;
    }
}
