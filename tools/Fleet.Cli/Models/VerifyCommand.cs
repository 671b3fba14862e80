using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Registry;
using Fleet.Client.Repair;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models verify</c>: hashes again what a registry or a folder holds.</summary>
internal static class VerifyCommand
{
    private const int ShownTensors = 5;

    public static readonly Option<string?> Folder = ValueOption.Text("--folder", "FOLDER", "A folder that was pulled, instead of the registry's own blobs");

    private static readonly Argument<string?> Reference = new("reference")
    {
        Description = "MODEL, MODEL@ALIAS or a digest; without one, all blobs of the registry",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "verify",
            "Read and hash a version's bytes again: those of the registry, or those of a pulled folder. Exit code 1 when something is wrong",
            "fleet models verify",
            "fleet models verify studio/fox@stable",
            "fleet models verify studio/fox --folder ./fox-model")
        {
            Reference,
            Folder,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string? reference = parsed.GetValue(Reference);
        if (parsed.GetValue(Folder) is { } folder && reference is null)
        {
            throw new CommandException(ExitCode.BadInput, $"--folder {folder} needs the version that it should be of", "'fleet models verify MODEL --folder FOLDER'");
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        string digest = reference is null ? "" : (await registry.Client.ResolveAsync(reference, cancellation)).Digest;
        return parsed.GetValue(Folder) is { } pulled
            ? await VerifyFolderAsync(registry.Client, digest, pulled, output, cancellation)
            : await VerifyRegistryAsync(registry.Client, digest, output, cancellation);
    }

    private static async Task<int> VerifyRegistryAsync(RegistryClient registry, string digest, Output output, CancellationToken cancellation)
    {
        var found = await TransferDisplay.WhileAsync(output, progress => BlobRepair.FindAsync(registry, digest, progress, cancellation));
        Write(found, output);
        return found.AllRight ? ExitCode.Success : ExitCode.Negative;
    }

    private static async Task<int> VerifyFolderAsync(RegistryClient registry, string digest, string folder, Output output, CancellationToken cancellation)
    {
        var manifest = await registry.GetManifestAsync(digest, cancellation);
        var files = await TransferDisplay.WhileAsync(output, progress => FolderCheck.RunAsync(manifest, folder, progress, cancellation));
        Write(files, output);
        output.Result($"{files.Count(file => file.State == FileState.Right)} of {manifest.Files.Count} files of {digest} are right");
        return files.All(file => file.State is FileState.Right or FileState.Extra) ? ExitCode.Success : ExitCode.Negative;
    }

    public static void Write(BlobFindings found, Output output)
    {
        output.Event(new BlobsVerifiedEvent(
            found.Blobs, found.Bytes, [.. found.Damaged.Select(digest => digest.Hex)], [.. found.Missing.Select(digest => digest.Hex)]));
        foreach (var digest in found.Damaged)
        {
            output.Result($"damaged  {digest}");
        }

        foreach (var digest in found.Missing)
        {
            output.Result($"missing  {digest}");
        }

        output.Result($"{found.Blobs} blobs with {Units.Bytes(found.Bytes)} read; {found.Damaged.Count} damaged, {found.Missing.Count} missing");
    }

    public static void Write(IEnumerable<CheckedFile> files, Output output)
    {
        foreach (var file in files)
        {
            string state = file.State.ToString().ToLowerInvariant();
            output.Event(new FileCheckEvent(file.Path, state, file.DamagedBytes, file.DamagedTensors));
            if (file.State != FileState.Right)
            {
                string tensors = string.Join(", ", file.DamagedTensors.Take(ShownTensors)) + (file.DamagedTensors.Count > ShownTensors ? ", ..." : "");
                output.Result($"{state,-8} {file.Path}{(tensors == "" ? "" : $"  ({tensors})")}");
            }
        }
    }
}
