using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models push</c>: a folder or a file becomes an immutable version.</summary>
internal static class PushCommand
{
    private static readonly Argument<string> Source = new("path")
    {
        Description = "A folder in the diffusers layout, or one .safetensors file",
    };

    private static readonly Option<string?> Name = ValueOption.Text(
        "--name", "MODEL", "Model name: a-z, 0-9, '.', '_', '-', parts separated by '/' [default: the name of the folder or file]");

    private static readonly Option<string[]> Aliases = new("--alias")
    {
        HelpName = "NAME",
        Description = "Point this alias at the version; may be given several times",
    };

    private static readonly Option<string[]> Configurations = new("--config")
    {
        HelpName = "FOLDER",
        Description = "For a single file: a folder with the configurations and the tokenizer it lacks; may be given several times [default: the file's folder]",
    };

    private static readonly Option<string?> Description = ValueOption.Text("--description", "TEXT", "Free text kept with the version");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "push",
            "Publish a folder or a .safetensors file as a version. What the registry has already is not sent again",
            "fleet models push ./stable-diffusion-v1-5",
            "fleet models push model.safetensors --name studio/fox --alias stable --alias newest",
            "fleet models push model.safetensors --config ./stable-diffusion-v1-5",
            "fleet models push ./my-model --registry http://registry:7861")
        {
            Source,
            Name,
            Aliases,
            Configurations,
            Description,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string path = Path.GetFullPath(parsed.GetValue(Source)!);
        if (!Path.Exists(path))
        {
            throw new CommandException(ExitCode.NotFound, $"'{path}' does not exist", "give a model folder or a .safetensors file");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var result = await TransferDisplay.WhileAsync(output, progress => registry.Client.PushAsync(
            path,
            parsed.GetValue(Name) ?? NameOf(path),
            parsed.GetValue(Aliases) ?? [],
            parsed.GetValue(Description) ?? "",
            parsed.GetValue(Configurations) ?? [],
            progress,
            cancellation));
        output.Say(result.Created
            ? $"Published; {result.UploadedBlobs} blobs with {Units.Bytes(result.UploadedBytes)} were new to the registry."
            : "The registry had this version already.");
        VersionReport.Write(result.Version, output);
        return ExitCode.Success;
    }

    private static string NameOf(string path)
    {
        string name = File.Exists(path) ? Path.GetFileNameWithoutExtension(path) : Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        return name.ToLowerInvariant().Replace(' ', '-');
    }
}
