using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Hub;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models import</c>: a model of a hub becomes a version.</summary>
internal static class ImportCommand
{
    private const string EndpointVariable = "HF_ENDPOINT";
    private const string HubTokenVariable = "HF_TOKEN";

    private static readonly Argument<string> Source = new("source")
    {
        Description = "hf://ORG/NAME[@REVISION][/PATH]: a pipeline, or the path of one .safetensors file; the revision is a branch, a tag or a commit",
    };

    private static readonly Option<string> Name = new("--name")
    {
        HelpName = "MODEL",
        Description = "Model name in the registry",
        Required = true,
    };

    private static readonly Option<string?> Endpoint = ValueOption.Text(
        "--endpoint", "URL", $"The hub, any server with the Hugging Face hub's protocol [env: {EndpointVariable}; default: https://huggingface.co]");

    private static readonly Option<string?> HubTokenFile = ValueOption.Text(
        "--hub-token-file", "FILE", $"A file that holds the hub's token [env: {HubTokenVariable}, the token itself; default: none]");

    private static readonly Option<string?> Variant = ValueOption.Text(
        "--variant", "NAME", "Take these weights where a component has them, for example fp16 [default: the plain ones]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "import",
            "Fetch a model from a hub and publish it. An import that was stopped goes on where it was",
            "fleet models import hf://stable-diffusion-v1-5/stable-diffusion-v1-5 --name base/sd15 --variant fp16",
            "fleet models import hf://studio/styles@v2/ink.safetensors --name loras/ink",
            "fleet models import hf://studio/fox --name studio/fox --endpoint http://mirror:8080 --hub-token-file hub.token")
        {
            Source,
            Name,
            Endpoint,
            HubTokenFile,
            Variant,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        PublishOptions.AddTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string source = parsed.GetValue(Source)!;
        var reference = HubReference.TryParse(source) ?? throw new CommandException(
            ExitCode.BadInput, $"'{source}' is no reference to a hub; it must be hf://ORG/NAME, with @REVISION and /PATH where needed",
            "'fleet models push PATH' publishes what is on this machine");
        var options = new HubOptions { Endpoint = EndpointOf(parsed), Token = await TokenAsync(parsed, cancellation) };

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var metadata = await PublishOptions.MetadataAsync(parsed, registry.Client, cancellation);
        using var hub = new HubClient(options);
        var imported = await TransferDisplay.WhileAsync(parsed.Output(), progress => new HubImport(hub, options).FetchAsync(
            reference, FleetHome.Imports, parsed.GetValue(Variant) ?? "", progress, cancellation));
        if (metadata.TrainingRun == "")
        {
            metadata.TrainingRun = imported.Source.ToString();
        }

        int code = await PublishOptions.PublishAsync(parsed, registry.Client, imported.Path, parsed.GetValue(Name)!, metadata, cancellation);
        imported.Delete();
        return code;
    }

    private static Uri EndpointOf(ParseResult parsed)
    {
        string? given = parsed.GetValue(Endpoint) ?? Environment.GetEnvironmentVariable(EndpointVariable);
        return string.IsNullOrEmpty(given) ? new HubOptions().Endpoint
            : Uri.TryCreate(given, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https" ? endpoint
            : throw new CommandException(ExitCode.BadInput, $"the hub's endpoint is '{given}'; it must be a URL such as https://huggingface.co");
    }

    private static async Task<string> TokenAsync(ParseResult parsed, CancellationToken cancellation) =>
        parsed.GetValue(HubTokenFile) is { } file
            ? (await File.ReadAllTextAsync(file, cancellation)).Trim()
            : Environment.GetEnvironmentVariable(HubTokenVariable)?.Trim() ?? "";
}
