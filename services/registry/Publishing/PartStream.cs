using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Blobs;

namespace Fleet.Registry.Publishing;

/// <summary>The bytes of a file of a version, read from its parts one after the other.</summary>
internal sealed class PartStream(BlobStore blobs, ManifestFile file) : Stream
{
    // Opening a blob of a bucket is a round trip; most parts are small.
    private const int OpenedAhead = 8;

    private readonly Queue<Task<Stream>> opened = new();
    private Stream? part;
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
        int count = part?.Read(buffer) ?? 0;
        while (count == 0 && !buffer.IsEmpty && OpenNext(ahead: 1) is { } opening)
        {
            // Readers of JSON and of safetensors headers are synchronous.
            part = opening.GetAwaiter().GetResult();
            count = part.Read(buffer);
        }

        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count = part is null ? 0 : await part.ReadAsync(buffer, cancellationToken);
        while (count == 0 && !buffer.IsEmpty && OpenNext(OpenedAhead) is { } opening)
        {
            part = await opening;
            count = await part.ReadAsync(buffer, cancellationToken);
        }

        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        part?.Dispose();
        foreach (var opening in opened)
        {
            _ = opening.ContinueWith(done => done.Result.Dispose(), TaskContinuationOptions.OnlyOnRanToCompletion);
        }

        base.Dispose(disposing);
    }

    private Task<Stream>? OpenNext(int ahead)
    {
        part?.Dispose();
        part = null;
        while (opened.Count < ahead && next < file.Parts.Count)
        {
            opened.Enqueue(blobs.OpenReadAsync(Digest.FromBytes(file.Parts[next++].Sha256.Span), CancellationToken.None));
        }

        return opened.TryDequeue(out var opening) ? opening : null;
    }
}
