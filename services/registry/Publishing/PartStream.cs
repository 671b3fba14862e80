using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Blobs;

namespace Fleet.Registry.Publishing;

/// <summary>The bytes of a file of a version, read from its parts one after the other.</summary>
internal sealed class PartStream(BlobStore blobs, ManifestFile file) : Stream
{
    private FileStream? part;
    private int next;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => file.Size;

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            int count = part?.Read(buffer) ?? 0;
            if (count > 0 || buffer.IsEmpty || next == file.Parts.Count)
            {
                return count;
            }

            part?.Dispose();
            part = blobs.OpenRead(Digest.FromBytes(file.Parts[next++].Sha256.Span));
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        part?.Dispose();
        base.Dispose(disposing);
    }
}
