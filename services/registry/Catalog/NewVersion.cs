using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Signatures;

namespace Fleet.Registry.Catalog;

/// <summary>A version to be published. The manifest is in canonical form.</summary>
internal sealed record NewVersion(
    string Model,
    Manifest Manifest,
    string Description,
    VersionMetadata Metadata,
    IReadOnlyCollection<string> Aliases)
{
    /// <summary>Stored with the version, in one transaction.</summary>
    public IReadOnlyList<CheckedSignature> Signatures { get; init; } = [];
}
