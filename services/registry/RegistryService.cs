using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Fleet.Registry.Publishing;
using Fleet.Registry.Signatures;
using Fleet.Registry.Upkeep;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry;

/// <summary>The gRPC service; one file for each of its features.</summary>
internal sealed partial class RegistryService(
    BlobStore blobs,
    BlobPins pins,
    VersionCatalog catalog,
    Quotas quotas,
    Publisher publisher,
    GarbageCollector collector,
    BlobVerifier verifier,
    SignatureChecks signatureChecks,
    SignatureStore signatures,
    SignaturePolicy signaturePolicy) : V1.Registry.RegistryBase;
