using Fleet.Contracts.Registry.V1;
using Fleet.Signing;

namespace Fleet.Cli.Models;

/// <summary>The files of a manifest as a signature lists them.</summary>
internal static class ManifestFiles
{
    public static IEnumerable<SignedFile> Of(Manifest manifest) =>
        manifest.Files.Select(file => new SignedFile(file.Path, Convert.ToHexStringLower(file.Sha256.Span)));
}
