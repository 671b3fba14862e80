using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Diff;

/// <summary>A model whose bytes can be read part by part: a version of a registry, or files of this machine.</summary>
public interface IModelContent
{
    /// <summary>The files, in canonical form.</summary>
    Manifest Manifest { get; }

    /// <summary>The bytes of a part of the manifest, in order, once. What is read is what the digest names, or reading throws.</summary>
    Stream Open(Digest part, long size);
}
