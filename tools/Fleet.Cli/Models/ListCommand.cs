using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models list</c>: the versions of the registry, newest first.</summary>
internal static class ListCommand
{
    private static readonly Argument<string?> Model = new("model")
    {
        Description = "Only versions of this model",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "list",
            "List versions, newest first",
            "fleet models list",
            "fleet models list studio/fox --json")
        {
            Model,
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
        var versions = await registry.Client.ListAsync(parsed.GetValue(Model) ?? "", cancellation).ToListAsync(cancellation);

        if (versions.Count == 0)
        {
            output.Say("There are no versions; 'fleet models push' publishes one.");
            return ExitCode.Success;
        }

        foreach (var version in versions)
        {
            output.Event(VersionReport.ToEvent(version));
        }

        var lines = TextTable.Format(
            ["MODEL", "VERSION", "ALIASES", "FAMILY", "SIZE", "PUBLISHED"],
            [
                .. versions.Select(v => (IReadOnlyList<string>)
                [
                    v.Model, VersionReport.Short(v.Digest), string.Join(' ', v.Aliases), v.Traits.Family, Units.Bytes(v.Size),
                    $"{v.CreatedAt.ToDateTimeOffset():yyyy-MM-dd HH:mm}",
                ]),
            ]);
        foreach (string line in lines)
        {
            output.Result(line);
        }

        return ExitCode.Success;
    }
}
