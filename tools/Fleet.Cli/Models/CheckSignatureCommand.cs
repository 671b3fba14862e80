using System.CommandLine;
using System.Security.Cryptography;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Signing;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models check-signature</c>: whether a key signed exactly these files.</summary>
internal static class CheckSignatureCommand
{
    private static readonly Argument<string> Target = new("model") { Description = "What was signed: " + ModelOperand.Description };

    private static readonly Option<string> Key = new("--key")
    {
        HelpName = "KEY",
        Description = "PEM file of the signer's public key",
        Required = true,
    };

    private static readonly Option<string?> Bundle = ValueOption.Text(
        "--signature", "FILE", "The signature [default: those that the registry keeps; of a folder: FOLDER/model.sig]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "check-signature",
            "Say whether a key signed exactly the files of a version or of a folder. Exit code 1 when it did not",
            "fleet models check-signature studio/fox@stable --key studio.pub",
            "fleet models check-signature ./fox-model --key studio.pub")
        {
            Target,
            Key,
            Bundle,
            FleetOptions.Registry,
            FleetOptions.TokenFile,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        string target = parsed.GetValue(Target)!;
        using var key = SigningKey.Read(parsed.GetValue(Key)!);
        var (files, bundles) = ModelOperand.IsPath(target)
            ? await OfFolderAsync(Path.GetFullPath(target), parsed, cancellation)
            : await OfVersionAsync(target, parsed, cancellation);
        var faults = bundles.Select(bundle => Faults(bundle, files, key)).ToList();
        IReadOnlyList<string> best = faults.Count == 0 ? ["there is no signature"] : faults.MinBy(each => each.Count)!;

        output.Event(new SignatureCheckEvent(best.Count == 0, key.Hint, best));
        foreach (string fault in best)
        {
            output.Result(fault);
        }

        output.Result(best.Count == 0 ? $"signed by this key: all {files.Count} files" : "not signed by this key");
        return best.Count == 0 ? ExitCode.Success : ExitCode.Negative;
    }

    private static IReadOnlyList<string> Faults(byte[] bundle, IReadOnlyList<SignedFile> files, SigningKey key)
    {
        try
        {
            return ModelSignature.Parse(bundle).Verify(key).Differences(files);
        }
        catch (SignatureException exception)
        {
            return [exception.Message];
        }
    }

    private static async Task<(IReadOnlyList<SignedFile> Files, IReadOnlyList<byte[]> Bundles)> OfVersionAsync(
        string reference, ParseResult parsed, CancellationToken cancellation)
    {
        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        string digest = (await registry.Client.ResolveAsync(reference, cancellation)).Digest;
        var manifest = await registry.Client.GetManifestAsync(digest, cancellation);
        IReadOnlyList<byte[]> bundles = parsed.GetValue(Bundle) is { } file
            ? [await File.ReadAllBytesAsync(file, cancellation)]
            : [.. (await registry.Client.ListSignaturesAsync(digest, cancellation)).Select(signature => signature.Bundle.ToByteArray())];
        return ([.. ManifestFiles.Of(manifest)], bundles);
    }

    // Every file counts, not only those that a push would take: one that nobody signed must not slip in.
    private static async Task<(IReadOnlyList<SignedFile> Files, IReadOnlyList<byte[]> Bundles)> OfFolderAsync(
        string path, ParseResult parsed, CancellationToken cancellation)
    {
        bool isFolder = Directory.Exists(path);
        string bundle = parsed.GetValue(Bundle) ?? (isFolder ? Path.Combine(path, ModelStatement.SignatureFile) : path + ".sig");
        byte[] content = await File.ReadAllBytesAsync(bundle, cancellation);
        var files = new List<SignedFile>();
        string root = isFolder ? path : Path.GetDirectoryName(path)!;
        foreach (string file in isFolder ? Directory.GetFiles(path, "*", SearchOption.AllDirectories) : [path])
        {
            string relative = Path.GetRelativePath(root, file).Replace('\\', '/');
            if (relative != ModelStatement.SignatureFile)
            {
                await using var stream = File.OpenRead(file);
                files.Add(new SignedFile(relative, Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation))));
            }
        }

        return (files, [content]);
    }
}
