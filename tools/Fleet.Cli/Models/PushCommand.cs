using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models push</c>: a folder or a file becomes an immutable version.</summary>
internal static class PushCommand
{
    private static readonly Argument<string> Source = new("path")
    {
        Description = "A folder in the diffusers layout, one .safetensors checkpoint, or the .safetensors file of a LoRA",
    };

    private static readonly Option<string?> Name = ValueOption.Text(
        "--name", "MODEL", "Model name: a-z, 0-9, '.', '_', '-', parts separated by '/' [default: the name of the folder or file]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "push",
            "Publish a folder or a .safetensors file as a version. What the registry has already is not sent again",
            "fleet models push ./stable-diffusion-v1-5",
            "fleet models push model.safetensors --name studio/fox --alias stable --alias newest",
            "fleet models push model.safetensors --config ./stable-diffusion-v1-5",
            "fleet models push ./fox-2 --name studio/fox --base studio/fox@stable --license mit --metric fid=12.5 --sign studio.pem",
            "fleet models push ./my-model --registry http://registry:7861 --token-file publisher.token")
        {
            Source,
            Name,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        PublishOptions.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string path = Path.GetFullPath(parsed.GetValue(Source)!);
        if (!Path.Exists(path))
        {
            throw new CommandException(
                ExitCode.NotFound, $"'{path}' does not exist", "give a model folder or a .safetensors file; 'fleet models import' takes hf:// references");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var metadata = await PublishOptions.MetadataAsync(parsed, registry.Client, cancellation);
        return await PublishOptions.PublishAsync(parsed, registry.Client, path, parsed.GetValue(Name) ?? NameOf(path), metadata, cancellation);
    }

    private static string NameOf(string path)
    {
        string name = File.Exists(path) ? Path.GetFileNameWithoutExtension(path) : Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        return name.ToLowerInvariant().Replace(' ', '-');
    }
}
