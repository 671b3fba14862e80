using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models edit</c>: changes what is said about a version.</summary>
internal static class EditCommand
{
    private static readonly Option<long?> Revision = ValueOption.Long("--revision", "N", "Only when this is the metadata's revision now, as 'show' tells it");

    // Options and the fields of the metadata that they replace.
    private static readonly (Option Option, string Field)[] Fields =
    [
        (PublishOptions.About, "description"),
        (PublishOptions.License, "license"),
        (PublishOptions.BaseVersion, "base_version"),
        (PublishOptions.Card, "model_card"),
        (PublishOptions.TrainingRun, "training_run"),
        (PublishOptions.Labels, "labels"),
    ];

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "edit",
            "Change what is said about a version. What is not named stays; --label replaces all labels, --metric the metric of that name",
            "fleet models edit studio/fox --license mit --card CARD.md",
            "fleet models edit studio/fox@sha256:0123456789ab --metric fid=12.5 --metric clip=0.31",
            "fleet models edit studio/fox --label portrait --label sharp")
        {
            ShowCommand.Reference,
            Revision,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        PublishOptions.AddMetadataTo(command);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var version = await registry.Client.ResolveAsync(parsed.GetValue(ShowCommand.Reference)!, cancellation);
        var metadata = await PublishOptions.MetadataAsync(parsed, registry.Client, cancellation);
        var request = new UpdateMetadataRequest
        {
            Model = version.Model,
            Version = version.Digest,
            Metadata = metadata,
            Description = parsed.GetValue(PublishOptions.About) ?? "",
            ExpectedRevision = parsed.GetValue(Revision) ?? 0,
            Fields =
            {
                Fields.Where(field => parsed.GetResult(field.Option) is not null).Select(field => field.Field)
                    .Concat(metadata.Metrics.Keys.Select(name => $"metrics/{name}")),
            },
        };
        if (request.Fields.Count == 0)
        {
            throw new CommandException(ExitCode.BadInput, "nothing to change was named", "'fleet models edit --help' lists what can be");
        }

        VersionReport.Write(await registry.Client.UpdateMetadataAsync(request, cancellation), output);
        return ExitCode.Success;
    }
}
