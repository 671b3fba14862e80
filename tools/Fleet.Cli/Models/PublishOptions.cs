using System.CommandLine;
using System.Globalization;
using Fleet.Cli.Terminal;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Signing;

namespace Fleet.Cli.Models;

/// <summary>What <c>push</c>, <c>import</c> and <c>edit</c> say about a version.</summary>
internal static class PublishOptions
{
    public static readonly Option<string[]> Aliases = new("--alias")
    {
        HelpName = "NAME",
        Description = "Point this alias at the version; may be given several times",
    };

    public static readonly Option<string[]> Configurations = new("--config")
    {
        HelpName = "FOLDER",
        Description = "For a single file: a folder with the configurations and the tokenizer it lacks; may be given several times [default: the file's folder]",
    };

    public static readonly Option<string?> About = ValueOption.Text("--description", "TEXT", "Free text kept with the version");

    public static readonly Option<string?> License = ValueOption.Text("--license", "NAME", "SPDX expression or name of the license");

    public static readonly Option<string?> BaseVersion = ValueOption.Text("--base", "VERSION", "The version that this one was made from");

    public static readonly Option<string?> Card = ValueOption.Text("--card", "FILE", "Model card, a Markdown file");

    public static readonly Option<string?> TrainingRun = ValueOption.Text("--training-run", "TEXT", "Name or address of the training run");

    public static readonly Option<string[]> Labels = new("--label")
    {
        HelpName = "LABEL",
        Description = "A label to find it by; may be given several times",
    };

    public static readonly Option<string[]> Metrics = new("--metric")
    {
        HelpName = "NAME=VALUE",
        Description = "Result of an evaluation; may be given several times",
    };

    public static readonly Option<string?> SigningKeyFile = ValueOption.Text("--sign", "KEY", "Sign the version with the private key in this PEM file");

    /// <summary>Options that say something about a version, whether it is new or not.</summary>
    public static void AddMetadataTo(Command command)
    {
        foreach (var option in new Option[] { About, License, BaseVersion, Card, TrainingRun, Labels, Metrics })
        {
            command.Add(option);
        }
    }

    /// <summary>All options of a version that is published.</summary>
    public static void AddTo(Command command)
    {
        command.Add(Aliases);
        command.Add(Configurations);
        AddMetadataTo(command);
        command.Add(SigningKeyFile);
    }

    public static async Task<VersionMetadata> MetadataAsync(ParseResult parsed, RegistryClient registry, CancellationToken cancellation)
    {
        var metadata = new VersionMetadata
        {
            License = parsed.GetValue(License) ?? "",
            TrainingRun = parsed.GetValue(TrainingRun) ?? "",
            ModelCard = parsed.GetValue(Card) is { } card ? await File.ReadAllTextAsync(card, cancellation) : "",
            BaseVersion = parsed.GetValue(BaseVersion) is { } reference ? (await registry.ResolveAsync(reference, cancellation)).Digest : "",
            Labels = { parsed.GetValue(Labels) ?? [] },
        };
        foreach (string metric in parsed.GetValue(Metrics) ?? [])
        {
            int equals = metric.IndexOf('=', StringComparison.Ordinal);
            metadata.Metrics[equals < 0 ? metric : metric[..equals]] =
                equals > 0 && double.TryParse(metric[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                    ? value
                    : throw new CommandException(ExitCode.BadInput, $"--metric is '{metric}'; it must be NAME=VALUE, such as fid=12.5");
        }

        return metadata;
    }

    /// <summary>Publishes a model with what the options say, and reports the version.</summary>
    public static async Task<int> PublishAsync(
        ParseResult parsed, RegistryClient registry, string path, string model, VersionMetadata metadata, CancellationToken cancellation)
    {
        var output = parsed.Output();
        using var key = parsed.GetValue(SigningKeyFile) is { } file ? SigningKey.Read(file) : null;
        var push = new ModelPush(path, model)
        {
            Aliases = parsed.GetValue(Aliases) ?? [],
            Description = parsed.GetValue(About) ?? "",
            ConfigFolders = parsed.GetValue(Configurations) ?? [],
            Metadata = metadata,
            Sign = key is null ? null : manifest => ModelSignature.Create(model, ManifestFiles.Of(manifest), key),
        };
        var result = await TransferDisplay.WhileAsync(output, progress => registry.PushAsync(push, progress, cancellation));
        output.Say(result.Created
            ? $"Published; {result.UploadedBlobs} blobs with {Units.Bytes(result.UploadedBytes)} were new to the registry."
            : "The registry had this version already.");
        VersionReport.Write(result.Version, output);
        return ExitCode.Success;
    }
}
