using System.Buffers;
using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Client.Registry;

/// <summary>Digests of ranges of files.</summary>
internal static class PartHashing
{
    /// <summary>Bytes that are read and sent at a time: larger arrays go to the large object heap, which costs full collections.</summary>
    public const int FrameBytes = 64 * 1024;

    /// <summary>The digest of <paramref name="size"/> bytes from <paramref name="offset"/> on, or of those that the file has.</summary>
    public static Digest Hash(SafeFileHandle file, long offset, long size, TransferCounter? counter, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(size, FrameBytes));
        try
        {
            for (long end = offset + size; offset < end;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - offset)), offset);
                if (count == 0)
                {
                    break;
                }

                hash.AppendData(buffer, 0, count);
                counter?.Add(count);
                offset += count;
            }

            return Digest.Of(hash);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
