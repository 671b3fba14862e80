using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>The bytes of a blob as they arrive. Goes on where it was when the connection breaks, and checks the digest with the last byte.</summary>
internal sealed class BlobStream(V1.Registry.RegistryClient registry, Digest digest, long size) : Stream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private AsyncServerStreamingCall<DownloadBlobResponse>? call;
    private ReadOnlyMemory<byte> frame;
    private long received;
    private long read;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => size;

    public override long Position
    {
        get => read;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (frame.IsEmpty && received < size)
        {
            frame = await ReceiveAsync(cancellationToken);
        }

        int count = Math.Min(buffer.Length, frame.Length);
        frame[..count].CopyTo(buffer);
        frame = frame[count..];
        read += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read it with ReadAsync");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        call?.Dispose();
        hash.Dispose();
        base.Dispose(disposing);
    }

    private async Task<ReadOnlyMemory<byte>> ReceiveAsync(CancellationToken cancellationToken)
    {
        var retries = new Retries(reached: received > 0, cancellationToken);
        while (true)
        {
            try
            {
                call ??= registry.DownloadBlob(
                    new DownloadBlobRequest { Sha256 = digest.ToByteString(), Offset = received }, cancellationToken: cancellationToken);
                if (!await call.ResponseStream.MoveNext(cancellationToken))
                {
                    throw new InvalidDataException($"blob {digest} ended after {received} of {size} bytes");
                }

                return Accept(call.ResponseStream.Current.Data.Memory);
            }
            catch (RpcException exception) when (retries.Allows(exception))
            {
                call?.Dispose();
                call = null;
                await retries.WaitAsync();
            }
        }
    }

    private ReadOnlyMemory<byte> Accept(ReadOnlyMemory<byte> data)
    {
        hash.AppendData(data.Span);
        received += data.Length;
        bool right = received < size || (received == size && Digest.Of(hash) == digest);
        return right ? data : throw new InvalidDataException($"blob {digest} arrived damaged");
    }
}
