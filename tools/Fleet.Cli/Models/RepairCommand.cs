using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Diff;
using Fleet.Client.Registry;
using Fleet.Client.Repair;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models repair</c>: fetches damaged bytes of a folder again, or gives a registry its lost blobs back.</summary>
internal static class RepairCommand
{
    private static readonly Option<string?> From = ValueOption.Text(
        "--from", "PATH", "Give the registry its damaged and missing blobs back from this folder or file");

    private static readonly Option<string?> FromRegistry = ValueOption.Text(
        "--from-registry", "URL", "Give the registry its damaged and missing blobs back from the same version of another one");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "repair",
            "Replace damaged and missing bytes of a version, and only those: in a pulled folder, or in the registry itself",
            "fleet models repair studio/fox --folder ./fox-model",
            "fleet models repair studio/fox --from ./fox-model",
            "fleet models repair sha256:0123456789ab --from-registry http://other:7861")
        {
            ShowCommand.Reference,
            VerifyCommand.Folder,
            From,
            FromRegistry,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        string?[] places = [parsed.GetValue(VerifyCommand.Folder), parsed.GetValue(From), parsed.GetValue(FromRegistry)];
        if (places.Count(place => place is not null) != 1)
        {
            throw new CommandException(
                ExitCode.BadInput, "one of --folder, --from and --from-registry is needed",
                "--folder repairs a pulled folder; --from and --from-registry repair the registry");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        string digest = (await registry.Client.ResolveAsync(parsed.GetValue(ShowCommand.Reference)!, cancellation)).Digest;
        return places[0] is { } folder
            ? await RepairFolderAsync(registry.Client, digest, folder, parsed.Output(), cancellation)
            : await RepairRegistryAsync(registry.Client, digest, parsed, cancellation);
    }

    private static async Task<int> RepairFolderAsync(RegistryClient registry, string digest, string folder, Output output, CancellationToken cancellation)
    {
        var manifest = await registry.GetManifestAsync(digest, cancellation);
        var repaired = await TransferDisplay.WhileAsync(output, async progress =>
        {
            var check = await FolderCheck.RunAsync(manifest, folder, progress, cancellation);
            return await FolderRepair.RunAsync(registry, manifest, folder, check, progress, cancellation);
        });
        VerifyCommand.Write(repaired, output);
        Report(repaired.Count, repaired.Sum(file => file.DamagedBytes), 0, "files", output);
        return ExitCode.Success;
    }

    private static async Task<int> RepairRegistryAsync(RegistryClient registry, string digest, ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        using var other = parsed.GetValue(FromRegistry) is { } address ? new RegistryClient(address, parsed.RegistryToken()) : null;
        var (found, result) = await TransferDisplay.WhileAsync(output, async progress =>
        {
            var findings = await BlobRepair.FindAsync(registry, digest, progress, cancellation);
            IModelContent source = other is null
                ? await LocalContent.ReadAsync(Path.GetFullPath(parsed.GetValue(From)!), [], progress, cancellation)
                : await RegistryContent.ReadAsync(other, digest, cancellation);
            return (findings, await BlobRepair.RestoreAsync(registry, [.. findings.Damaged, .. findings.Missing], source, progress, cancellation));
        });
        VerifyCommand.Write(found, output);
        Report(result.Restored, result.RestoredBytes, result.StillMissing.Count, "blobs", output);
        return result.StillMissing.Count == 0 ? ExitCode.Success : ExitCode.Negative;
    }

    private static void Report(int repaired, long bytes, int stillMissing, string what, Output output)
    {
        output.Event(new RepairedEvent(repaired, bytes, stillMissing));
        output.Result($"{repaired} {what} repaired with {Units.Bytes(bytes)}{(stillMissing == 0 ? "" : $"; {stillMissing} are in neither place")}");
    }
}
