using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Diff;

/// <summary>A version of a registry.</summary>
public sealed class RegistryContent : IModelContent
{
    private readonly RegistryClient registry;

    private RegistryContent(RegistryClient registry, Manifest manifest)
    {
        this.registry = registry;
        Manifest = manifest;
    }

    /// <inheritdoc/>
    public Manifest Manifest { get; }

    /// <summary>The version of that digest. The client must outlive what is returned.</summary>
    public static async Task<RegistryContent> ReadAsync(RegistryClient registry, string digest, CancellationToken cancellationToken = default) =>
        new(registry, await registry.GetManifestAsync(digest, cancellationToken));

    /// <inheritdoc/>
    public Stream Open(Digest part, long size) => registry.OpenBlob(part, size);
}
