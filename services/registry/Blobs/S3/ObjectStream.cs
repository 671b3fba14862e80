using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Fleet.Registry.Blobs.S3;

/// <summary>An object read in order. A connection that breaks off is replaced by another one from the byte that was reached.</summary>
internal sealed class ObjectStream(IAmazonS3 client, string bucket, string key, GetObjectResponse first) : Stream
{
    private const int MaxBreaks = 8;

    private readonly long length = first.ContentLength;
    private GetObjectResponse response = first;
    private long position;
    private int breaks;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (position < length && !buffer.IsEmpty)
        {
            try
            {
                int count = await response.ResponseStream.ReadAsync(buffer, cancellationToken);
                if (count > 0)
                {
                    position += count;
                    return count;
                }
            }
            catch (Exception exception) when (IsBreak(exception) && breaks < MaxBreaks && !cancellationToken.IsCancellationRequested)
            {
                // Goes on below.
            }
            catch (Exception exception) when (IsBreak(exception))
            {
                throw S3Errors.Unavailable(exception);
            }

            await ReopenAsync(cancellationToken);
        }

        return 0;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // Readers of JSON and of safetensors headers are synchronous.
    public override int Read(byte[] buffer, int offset, int count) =>
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        response.Dispose();
        base.Dispose(disposing);
    }

    private static bool IsBreak(Exception exception) =>
        exception is IOException or HttpRequestException or AmazonClientException { InnerException: IOException or HttpRequestException };

    private async Task ReopenAsync(CancellationToken cancellationToken)
    {
        if (++breaks > MaxBreaks)
        {
            throw S3Errors.Unavailable(new IOException($"object {key} ends after {position} of {length} bytes"));
        }

        response.Dispose();
        var range = new GetObjectRequest { BucketName = bucket, Key = key, ByteRange = new ByteRange(position, length - 1) };
        response = await S3Errors.MapAsync(() => client.GetObjectAsync(range, cancellationToken));
    }
}
