using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models gc</c>: frees what no version needs.</summary>
internal static class GcCommand
{
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Say what would be freed and free nothing" };

    private static readonly Option<double?> UploadsOlderThan = ValueOption.Number(
        "--uploads-older-than", "HOURS", "Give up unfinished uploads that were not touched for so long [default: 24]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "gc",
            "Free the bytes that no version refers to and that no running push or pull needs",
            "fleet models gc --dry-run",
            "fleet models gc --uploads-older-than 1")
        {
            DryRun,
            UploadsOlderThan,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        bool dry = parsed.GetValue(DryRun);
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var age = parsed.GetValue(UploadsOlderThan) is { } hours ? TimeSpan.FromHours(hours) : (TimeSpan?)null;
        var freed = await registry.Client.CollectGarbageAsync(dry, age, cancellation);
        output.Event(new GarbageEvent(dry, freed.Blobs, freed.BlobBytes, freed.Uploads, freed.UploadBytes, freed.KeptBlobs, freed.KeptBytes));
        output.Result($"{(dry ? "would free" : "freed")} {freed.Blobs} blobs with {Units.Bytes(freed.BlobBytes)} and {freed.Uploads} uploads with {Units.Bytes(freed.UploadBytes)}");
        if (freed.KeptBlobs > 0)
        {
            output.Result($"kept {freed.KeptBlobs} blobs with {Units.Bytes(freed.KeptBytes)} that a running push or pull may need");
        }

        return ExitCode.Success;
    }
}
