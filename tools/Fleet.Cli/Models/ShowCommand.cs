using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models show</c>: one version and its files.</summary>
internal static class ShowCommand
{
    public static readonly Argument<string> Reference = new("reference")
    {
        Description = "MODEL, MODEL@ALIAS, MODEL@sha256:DIGEST or sha256:DIGEST; 12 digits of a digest are enough",
    };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "show",
            "Show a version: what it is, its aliases, its files",
            "fleet models show studio/fox",
            "fleet models show studio/fox@canary --json")
        {
            Reference,
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
        var version = await registry.Client.ResolveAsync(parsed.GetValue(Reference)!, cancellation);
        var manifest = await registry.Client.GetManifestAsync(version.Digest, cancellation);

        VersionReport.Write(version, output);
        foreach (var file in manifest.Files)
        {
            string sha256 = Convert.ToHexStringLower(file.Sha256.Span);
            output.Event(new FileEvent(file.Path, file.Size, sha256, file.Parts.Count));
            output.Result($"  {file.Path,-50} {Units.Bytes(file.Size),10}  {sha256[..12]}  {file.Parts.Count} parts");
        }

        return ExitCode.Success;
    }
}
