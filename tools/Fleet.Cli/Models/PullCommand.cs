using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models pull</c>: the files of a version, verified.</summary>
internal static class PullCommand
{
    private static readonly Option<string> Folder = new("--output", "-o")
    {
        HelpName = "FOLDER",
        Description = "Folder to write; it must be empty or not exist",
        Required = true,
    };

    private static readonly Option<bool> Resume = new("--resume")
    {
        Description = "Complete a folder that is not empty; files in it that differ are replaced",
    };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "pull",
            "Fetch a version's files, byte for byte as they were pushed, each verified by its digest",
            "fleet models pull studio/fox -o fox-model",
            "fleet models pull sha256:0123456789ab -o fox-model --registry http://registry:7861")
        {
            ShowCommand.Reference,
            Folder,
            Resume,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string folder = parsed.GetValue(Resume)
            ? Path.GetFullPath(parsed.GetValue(Folder)!)
            : ModelFolder.MustBeFree(parsed.GetValue(Folder)!, "name a new folder, or add --resume to complete what is there");

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var version = await registry.Client.ResolveAsync(parsed.GetValue(ShowCommand.Reference)!, cancellation);
        await TransferDisplay.WhileAsync(output, async progress =>
        {
            await registry.Client.PullAsync(version.Digest, folder, _ => true, progress, cancellation);
            return version;
        });
        output.Event(new WrittenEvent(folder, version.Size));
        output.Result(folder);
        return ExitCode.Success;
    }
}
