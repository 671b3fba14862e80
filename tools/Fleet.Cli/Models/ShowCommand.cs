using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Signing;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Cli.Models;

/// <summary><c>fleet models show</c>: one version and its files.</summary>
internal static class ShowCommand
{
    private const int MaxAncestors = 20;

    public static readonly Argument<string> Reference = new("reference")
    {
        Description = "MODEL, MODEL@ALIAS, MODEL@sha256:DIGEST or sha256:DIGEST; 12 digits of a digest are enough",
    };

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "show",
            "Show a version: what it is, what is said about it, its lineage, its signatures, its files",
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
        await WriteLineageAsync(registry.Client, version, output, cancellation);
        await WriteSignaturesAsync(registry.Client, version, output, cancellation);
        foreach (var file in manifest.Files)
        {
            string sha256 = Convert.ToHexStringLower(file.Sha256.Span);
            output.Event(new FileEvent(file.Path, file.Size, sha256, file.Parts.Count));
            output.Result($"  {file.Path,-50} {Units.Bytes(file.Size),10}  {sha256[..12]}  {file.Parts.Count} parts");
        }

        if (version.Metadata?.ModelCard is { Length: > 0 } card)
        {
            output.Result("");
            output.Result(card.TrimEnd());
        }

        return ExitCode.Success;
    }

    private static async Task WriteLineageAsync(RegistryClient registry, Version version, Output output, CancellationToken cancellation)
    {
        var ancestor = version;
        for (int i = 0; i < MaxAncestors && ancestor.Metadata?.BaseVersion is { Length: > 0 } parent; i++)
        {
            ancestor = await registry.ResolveAsync(parent, cancellation);
            output.Result($"{"ancestor",-12}{ancestor.Model}@{VersionReport.Short(ancestor.Digest)}");
        }

        var madeFromIt = registry.ListAsync(new ListVersionsRequest { BaseVersion = version.Digest }, cancellation);
        await foreach (var child in madeFromIt)
        {
            output.Result($"{"descendant",-12}{child.Model}@{VersionReport.Short(child.Digest)}");
        }
    }

    private static async Task WriteSignaturesAsync(RegistryClient registry, Version version, Output output, CancellationToken cancellation)
    {
        if (version.Signatures == 0)
        {
            return;
        }

        foreach (var signature in await registry.ListSignaturesAsync(version.Digest, cancellation))
        {
            string hint = ModelSignature.Parse(signature.Bundle.ToByteArray()).KeyHint;
            output.Event(new SignatureEvent(version.Digest, hint, SignCommand.Trusted(signature.TrustedKey), signature.AddedAt.ToDateTimeOffset()));
            output.Result($"{"signed by",-12}{(signature.TrustedKey == "" ? $"a key that the registry does not trust, {hint}" : signature.TrustedKey)}");
        }
    }
}
