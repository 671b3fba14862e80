using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Fleet.Hosting.Files;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Blobs;

/// <summary>Blobs in a folder, named by digest. README.md beside this file says what it promises.</summary>
internal sealed class BlobStore
{
    /// <summary>Bytes that are read and sent at a time. Larger arrays go to the large object heap, which costs full collections.</summary>
    public const int FrameBytes = 64 * 1024;

    private const string RivalSuffix = ".rival";

    private readonly string blobs;
    private readonly string uploads;
    private readonly string damaged;

    public BlobStore(IOptions<RegistryOptions> options)
    {
        string root = Path.GetFullPath(options.Value.DataPath);
        blobs = Path.Combine(root, "blobs");
        uploads = Path.Combine(root, "uploads");
        damaged = Path.Combine(root, "damaged");
        DurableFolder.Create(blobs);
        DurableFolder.Create(uploads);
        DurableFolder.Create(damaged);
        RemoveAbandonedRivals();
    }

    /// <summary>Bytes of a stored blob; null when the registry lacks it.</summary>
    public long? SizeOf(Digest digest)
    {
        var file = new FileInfo(PathOf(digest));
        return file.Exists ? file.Length : null;
    }

    /// <summary>Bytes of an unfinished upload, where it can be resumed.</summary>
    public long UploadedBytes(Digest digest)
    {
        var file = new FileInfo(PartialPathOf(digest));
        return file.Exists ? file.Length : 0;
    }

    /// <summary>Begins an upload at <paramref name="offset"/> 0, or resumes it where it was cut.</summary>
    public BlobUpload BeginUpload(Digest digest, long size, long offset)
    {
        string partial = PartialPathOf(digest);
        var file = ExclusiveFile.TryOpen(partial);
        try
        {
            // Asked with the file held: a rival that finished just now has renamed into place the very file that we opened.
            if (HasIntact(digest, size))
            {
                if (file is not null)
                {
                    File.Delete(partial);
                }

                return BlobUpload.OfKnownBlob(digest, size - offset);
            }

            if (file is null)
            {
                Require(offset == 0, $"blob {digest} is being uploaded by another client; begin at 0, or ask for the offset later");
                partial = Path.Combine(uploads, $"{digest}.{Guid.NewGuid():N}{RivalSuffix}");
                file = ExclusiveFile.TryOpen(partial)!;
            }

            long held = RandomAccess.GetLength(file);
            Require(offset == 0 || offset == held, $"{held} bytes of blob {digest} are uploaded, not {offset}; ask for the offset again");

            DurableFolder.Create(Path.GetDirectoryName(PathOf(digest))!);
            var upload = new BlobUpload(digest, size, offset, file, partial, PathOf(digest));
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
        using var stream = OpenRead(digest);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FrameBytes);
        try
        {
            long position = 0;
            do
            {
                int count = await stream.ReadAsync(buffer.AsMemory(0, FrameBytes), cancellationToken);
                hash.AppendData(buffer, 0, count);
                int skipped = (int)Math.Clamp(offset - position, 0, count);
                position += count;

                bool last = position >= stream.Length || count == 0;
                if (last && Digest.Of(hash) != digest)
                {
                    throw SetAside(digest);
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
    public FileStream OpenRead(Digest digest)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(PathOf(digest), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            }
            catch (IOException exception) when (ExclusiveFile.IsInUse(exception) && attempt < 1000)
            {
                Thread.Sleep(1); // its uploader gave it its name and closes it in a moment
            }
            catch (FileNotFoundException)
            {
                throw new NotFoundException($"the registry has no blob {digest}");
            }
        }
    }

    /// <summary>Reads a blob. One whose digest is wrong is set aside, and <see cref="DamagedBlobException"/> thrown.</summary>
    public void Verify(Digest digest)
    {
        using var stream = OpenRead(digest);
        if (Digest.FromBytes(SHA256.HashData(stream)) != digest)
        {
            throw SetAside(digest);
        }
    }

    /// <summary>Throws when the folder cannot be written to.</summary>
    public void CheckWritable()
    {
        string probe = Path.Combine(uploads, $"probe.{Guid.NewGuid():N}");
        using var file = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
        file.WriteByte(0);
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
        {
            throw new AbortedException(fault);
        }
    }

    private bool HasIntact(Digest digest, long size)
    {
        long? stored = SizeOf(digest);
        if (stored is null || stored == size)
        {
            return stored == size;
        }

        try
        {
            Verify(digest);
        }
        catch (DamagedBlobException)
        {
            return false; // it is set aside now, and this upload repairs it
        }

        throw new InvalidRequestException("start.size", size, $"blob {digest} has {stored} bytes");
    }

    private DamagedBlobException SetAside(Digest digest)
    {
        File.Move(PathOf(digest), Path.Combine(damaged, digest.Hex), overwrite: true);
        return new DamagedBlobException(digest);
    }

    private void RemoveAbandonedRivals()
    {
        foreach (string path in Directory.EnumerateFiles(uploads, "*" + RivalSuffix))
        {
            using var file = ExclusiveFile.TryOpen(path);
            if (file is not null)
            {
                File.Delete(path);
            }
        }
    }

    private string PathOf(Digest digest) => Path.Combine(blobs, digest.Hex[..2], digest.Hex);

    private string PartialPathOf(Digest digest) => Path.Combine(uploads, digest.Hex);
}
