using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Diff;
using Fleet.Signing;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models sign</c>: a signature over all files of a version or of a folder.</summary>
internal static class SignCommand
{
    private static readonly Argument<string> Target = new("model") { Description = "What to sign: " + ModelOperand.Description };

    private static readonly Option<string> Key = new("--key")
    {
        HelpName = "KEY",
        Description = "PEM file of an ECDSA private key on P-256, P-384 or P-521, without a password",
        Required = true,
    };

    private static readonly Option<string?> Bundle = ValueOption.Text(
        "--output", "FILE", "Where the signature is written [default: kept by the registry; of a folder: FOLDER/model.sig]", "-o");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "sign",
            "Sign a version or a folder in the OpenSSF Model Signing format, with a key of your own and without a network",
            "fleet models keygen studio",
            "fleet models sign studio/fox@stable --key studio.pem",
            "fleet models sign ./fox-model --key studio.pem")
        {
            Target,
            Key,
            Bundle,
            PublishOptions.Configurations,
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
        if (ModelOperand.IsPath(target))
        {
            string path = Path.GetFullPath(target);
            var content = await TransferDisplay.WhileAsync(output, progress => LocalContent.ReadAsync(
                path, parsed.GetValue(PublishOptions.Configurations) ?? [], progress, cancellation));
            string beside = Directory.Exists(path) ? Path.Combine(path, ModelStatement.SignatureFile) : path + ".sig";
            byte[] signature = ModelSignature.Create(Path.GetFileName(Path.TrimEndingDirectorySeparator(path)), ManifestFiles.Of(content.Manifest), key);
            return await WriteAsync(signature, parsed.GetValue(Bundle) ?? beside, output, cancellation);
        }

        await using var registry = await RegistryConnection.OpenAsync(parsed, cancellation);
        var version = await registry.Client.ResolveAsync(target, cancellation);
        byte[] bundle = ModelSignature.Create(version.Model, ManifestFiles.Of(await registry.Client.GetManifestAsync(version.Digest, cancellation)), key);
        if (parsed.GetValue(Bundle) is { } file)
        {
            return await WriteAsync(bundle, file, output, cancellation);
        }

        var added = await registry.Client.AddSignatureAsync(version.Digest, bundle, cancellation);
        output.Event(new SignatureEvent(version.Digest, key.Hint, Trusted(added.TrustedKey), added.AddedAt.ToDateTimeOffset()));
        output.Result($"{version.Digest} is signed{(added.TrustedKey == "" ? "; the registry trusts no such key" : $" by {added.TrustedKey}")}");
        return ExitCode.Success;
    }

    public static string? Trusted(string name) => name == "" ? null : name;

    private static async Task<int> WriteAsync(byte[] bundle, string file, Output output, CancellationToken cancellation)
    {
        string path = Path.GetFullPath(file);
        await File.WriteAllBytesAsync(path, bundle, cancellation);
        output.Event(new WrittenEvent(path, bundle.Length));
        output.Result(path);
        return ExitCode.Success;
    }
}
