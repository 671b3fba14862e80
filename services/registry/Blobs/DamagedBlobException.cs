using Fleet.Contracts.Registry;

namespace Fleet.Registry.Blobs;

/// <summary>A stored blob whose bytes no longer have its digest. It has been set aside; pushing it again repairs it.</summary>
internal sealed class DamagedBlobException(Digest digest)
    : Exception($"blob {digest} is damaged on the registry's disk and was set aside; push a version that contains it again to repair it");
