using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models list</c>: the versions of the registry, newest first.</summary>
internal static class ListCommand
{
    private static readonly Argument<string?> Model = new("model")
    {
        Description = "Only versions of this model",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Search = ValueOption.Text(
        "--search", "WORDS", "Only versions with all these words in model name, description, card, labels, license or training run");

    private static readonly Option<string?> Family = ValueOption.Text("--family", "NAME", "Only this family: sd1, sd2");

    private static readonly Option<string?> DType = ValueOption.Text("--dtype", "TYPE", "Only this element type: F32, F16, BF16");

    private static readonly Option<string?> License = ValueOption.Text("--license", "NAME", "Only this license");

    private static readonly Option<string?> Label = ValueOption.Text("--label", "LABEL", "Only versions with this label");

    private static readonly Option<string?> MadeFrom = ValueOption.Text("--base", "VERSION", "Only versions that were made from this one");

    private static readonly Option<string?> Kind = ValueOption.Text("--kind", "KIND", "Only this kind: pipeline, lora");

    private static readonly Option<bool> WithoutDeprecated = new("--without-deprecated") { Description = "Leave deprecated versions out" };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "list",
            "List versions, newest first; options narrow the list",
            "fleet models list",
            "fleet models list studio/fox --json",
            "fleet models list --search \"portrait fox\" --family sd1 --without-deprecated",
            "fleet models list --kind lora --label ink")
        {
            Model,
            Search,
            Family,
            DType,
            License,
            Label,
            MadeFrom,
            Kind,
            WithoutDeprecated,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var wanted = new ListVersionsRequest
        {
            Model = parsed.GetValue(Model) ?? "",
            Search = parsed.GetValue(Search) ?? "",
            Family = parsed.GetValue(Family) ?? "",
            Dtype = parsed.GetValue(DType) ?? "",
            License = parsed.GetValue(License) ?? "",
            Label = parsed.GetValue(Label) ?? "",
            BaseVersion = parsed.GetValue(MadeFrom) is { } reference ? (await registry.Client.ResolveAsync(reference, cancellation)).Digest : "",
            Kind = parsed.GetValue(Kind) ?? "",
            WithoutDeprecated = parsed.GetValue(WithoutDeprecated),
        };
        var versions = await registry.Client.ListAsync(wanted, cancellation).ToListAsync(cancellation);

        if (versions.Count == 0)
        {
            output.Say(wanted.Equals(new ListVersionsRequest()) ? "There are no versions; 'fleet models push' publishes one." : "There are no such versions.");
            return ExitCode.Success;
        }

        foreach (var version in versions)
        {
            output.Event(VersionReport.ToEvent(version));
        }

        var lines = TextTable.Format(
            ["MODEL", "VERSION", "ALIASES", "KIND", "FAMILY", "SIZE", "PUBLISHED"],
            [
                .. versions.Select(v => (IReadOnlyList<string>)
                [
                    v.Model, VersionReport.Short(v.Digest), v.Deprecated == "" ? string.Join(' ', v.Aliases) : string.Join(' ', [.. v.Aliases, "(deprecated)"]),
                    VersionReport.Kind(v.Traits), v.Traits.Family, Units.Bytes(v.Size), $"{v.CreatedAt.ToDateTimeOffset():yyyy-MM-dd HH:mm}",
                ]),
            ]);
        foreach (string line in lines)
        {
            output.Result(line);
        }

        return ExitCode.Success;
    }
}
