using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Catalog;

/// <summary>A version to be published. The manifest is in canonical form.</summary>
internal sealed record NewVersion(
    string Model,
    Manifest Manifest,
    string Description,
    VersionMetadata Metadata,
    IReadOnlyCollection<string> Aliases);
