using Fleet.Contracts.Registry;

namespace Fleet.Registry.Blobs;

/// <summary>A blob that is stored.</summary>
internal readonly record struct StoredBlob(Digest Digest, long Size);

/// <summary>Where verified blobs lie: a folder, or a bucket of an S3-compatible store. README.md beside this file says what both promise.</summary>
internal interface IBlobStorage
{
    /// <summary>Bytes of a blob; null when it is not stored.</summary>
    ValueTask<long?> SizeOfAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>Stores the bytes of a verified upload durably, and takes its file away. The blob is visible only when it is complete.</summary>
    Task StoreAsync(Digest digest, UploadFile file, CancellationToken cancellationToken);

    /// <summary>A blob from its first byte on, unverified. Throws <see cref="Hosting.NotFoundException"/>.</summary>
    Task<Stream> OpenReadAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>Puts a blob whose bytes are wrong where it is not found as a blob any more.</summary>
    Task SetAsideAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>Frees the space of a blob.</summary>
    Task DeleteAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>All blobs, in no order.</summary>
    IAsyncEnumerable<StoredBlob> ListAsync(CancellationToken cancellationToken);

    /// <summary>Throws when blobs cannot be stored now.</summary>
    Task CheckAsync(CancellationToken cancellationToken);
}
