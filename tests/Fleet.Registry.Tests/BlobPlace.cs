namespace Fleet.Registry.Tests;

/// <summary>Where the registry of a test keeps its blobs.</summary>
public enum BlobPlace
{
    Folder,

    /// <summary>A bucket of an <see cref="Blobs.S3.S3Server"/>.</summary>
    Bucket,
}
