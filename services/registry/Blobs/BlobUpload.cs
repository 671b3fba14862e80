using System.Buffers;
using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Hosting;

namespace Fleet.Registry.Blobs;

/// <summary>A blob on its way in. It holds its temporary file alone; what was written stays there to be resumed.</summary>
internal sealed class BlobUpload : IDisposable
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Digest digest;
    private readonly IBlobStorage? storage;
    private readonly UploadFile? file;
    private long position;

    public BlobUpload(IBlobStorage storage, Digest digest, long size, long offset, UploadFile file)
    {
        this.storage = storage;
        this.digest = digest;
        this.file = file;
        position = offset;
        Remaining = size - offset;
        RandomAccess.SetLength(file.Handle, offset);
        HashHeldBytes(file);
    }

    private BlobUpload(Digest digest, long remaining)
    {
        this.digest = digest;
        Remaining = remaining;
    }

    public Digest Digest => digest;

    /// <summary>Bytes that are still to come.</summary>
    public long Remaining { get; private set; }

    /// <summary>An upload of a blob that the registry has: its bytes are counted and dropped.</summary>
    public static BlobUpload OfKnownBlob(Digest digest, long remaining) => new(digest, remaining);

    public void Write(ReadOnlySpan<byte> data)
    {
        if (file is not null)
        {
            RandomAccess.Write(file.Handle, data, position);
            hash.AppendData(data);
            position += data.Length;
        }

        Remaining -= data.Length;
    }

    /// <summary>Checks the digest. Bytes that do not have it are thrown away.</summary>
    public void Verify()
    {
        if (file is not null && Digest.Of(hash) is var actual && actual != digest)
        {
            RandomAccess.SetLength(file.Handle, 0); // not deleted: another upload may have opened it and wait for us to let go
            throw new InvalidRequestException("start.sha256", digest, $"the bytes that came have {actual}: send them again, or correct the digest");
        }
    }

    /// <summary>Makes a blob of the verified bytes, durably.</summary>
    public Task CommitAsync(CancellationToken cancellationToken) =>
        file is null ? Task.CompletedTask : storage!.StoreAsync(digest, file, cancellationToken);

    public void Dispose()
    {
        file?.Dispose();
        hash.Dispose();
    }

    private void HashHeldBytes(UploadFile held)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BlobStore.FrameBytes);
        for (long read = 0; read < position;)
        {
            int count = RandomAccess.Read(held.Handle, buffer, read);
            hash.AppendData(buffer, 0, count);
            read += count;
        }

        ArrayPool<byte>.Shared.Return(buffer);
    }
}
