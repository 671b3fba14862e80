using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Hosting;

namespace Fleet.Registry.Blobs;

/// <summary>Blobs by digest: received, read and verified. README.md beside this file says what it promises.</summary>
internal sealed class BlobStore(IBlobStorage storage, UploadFolder uploads)
{
    /// <summary>Bytes that are read and sent at a time. Larger arrays go to the large object heap, which costs full collections.</summary>
    public const int FrameBytes = 64 * 1024;

    private const int QuestionsAtATime = 32;

    /// <summary>Bytes of a stored blob; null when the registry lacks it.</summary>
    public ValueTask<long?> SizeOfAsync(Digest digest, CancellationToken cancellationToken) => storage.SizeOfAsync(digest, cancellationToken);

    /// <summary>Sizes of many blobs, in the order asked; null for those that the registry lacks.</summary>
    public async Task<long?[]> SizesOfAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var sizes = new long?[digests.Count];
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = QuestionsAtATime };
        await Parallel.ForAsync(0, digests.Count, options, async (i, token) => sizes[i] = await storage.SizeOfAsync(digests[i], token));
        return sizes;
    }

    /// <summary>Bytes of an unfinished upload, where it can be resumed.</summary>
    public long UploadedBytes(Digest digest) => uploads.HeldBytes(digest);

    /// <summary>Begins an upload at <paramref name="offset"/> 0, or resumes it where it was cut.</summary>
    public async Task<BlobUpload> BeginUploadAsync(Digest digest, long size, long offset, CancellationToken cancellationToken)
    {
        var file = uploads.TryOpen(digest);
        try
        {
            // Asked with the file held: a rival that finished just now has renamed into place the very file that we opened.
            if (await HasIntactAsync(digest, size, cancellationToken))
            {
                file?.Delete();
                return BlobUpload.OfKnownBlob(digest, size - offset);
            }

            if (file is null)
            {
                Require(offset == 0, $"blob {digest} is being uploaded by another client; begin at 0, or ask for the offset later");
                file = uploads.OpenRival(digest);
            }

            long held = RandomAccess.GetLength(file.Handle);
            Require(offset == 0 || offset == held, $"{held} bytes of blob {digest} are uploaded, not {offset}; ask for the offset again");
            var upload = new BlobUpload(storage, digest, size, offset, file);
            file = null;
            return upload;
        }
        finally
        {
            file?.Dispose();
        }
    }

    /// <summary>The bytes from <paramref name="offset"/> on, in frames that are valid until the next one.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        Digest digest, long offset, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var stream = await storage.OpenReadAsync(digest, cancellationToken);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FrameBytes);
        try
        {
            long position = 0;
            do
            {
                int count = await stream.ReadAtLeastAsync(buffer.AsMemory(0, FrameBytes), FrameBytes, throwOnEndOfStream: false, cancellationToken);
                hash.AppendData(buffer, 0, count);
                int skipped = (int)Math.Clamp(offset - position, 0, count);
                position += count;

                bool last = position >= stream.Length || count == 0;
                if (last && Digest.Of(hash) != digest)
                {
                    await storage.SetAsideAsync(digest, cancellationToken);
                    throw new DamagedBlobException(digest);
                }

                if (skipped < count)
                {
                    yield return buffer.AsMemory(skipped, count - skipped);
                }
            }
            while (position < stream.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Opens a blob without looking at its digest.</summary>
    public Task<Stream> OpenReadAsync(Digest digest, CancellationToken cancellationToken) => storage.OpenReadAsync(digest, cancellationToken);

    /// <summary>Reads a blob. One whose digest is wrong is set aside, and <see cref="DamagedBlobException"/> thrown.</summary>
    public async Task VerifyAsync(Digest digest, Action<int>? onRead, CancellationToken cancellationToken)
    {
        await foreach (var frame in ReadAsync(digest, 0, cancellationToken))
        {
            onRead?.Invoke(frame.Length);
        }
    }

    /// <summary>All stored blobs, in no order.</summary>
    public IAsyncEnumerable<StoredBlob> ListAsync(CancellationToken cancellationToken) => storage.ListAsync(cancellationToken);

    /// <summary>Frees the space of a blob. Only garbage collection may ask for this.</summary>
    public Task DeleteAsync(Digest digest, CancellationToken cancellationToken) => storage.DeleteAsync(digest, cancellationToken);

    /// <summary>Throws when blobs cannot be received or stored now.</summary>
    public Task CheckWritableAsync(CancellationToken cancellationToken)
    {
        uploads.CheckWritable();
        return storage.CheckAsync(cancellationToken);
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
        {
            throw new AbortedException(fault);
        }
    }

    private async Task<bool> HasIntactAsync(Digest digest, long size, CancellationToken cancellationToken)
    {
        long? stored = await storage.SizeOfAsync(digest, cancellationToken);
        if (stored is null || stored == size)
        {
            return stored == size;
        }

        try
        {
            await VerifyAsync(digest, onRead: null, cancellationToken);
        }
        catch (DamagedBlobException)
        {
            return false; // it is set aside now, and this upload repairs it
        }

        throw new InvalidRequestException("start.size", size, $"blob {digest} has {stored} bytes");
    }
}
