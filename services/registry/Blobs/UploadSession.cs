using Fleet.Contracts;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;

namespace Fleet.Registry.Blobs;

/// <summary>One call of UploadBlobs: blobs one after the other, each named as soon as its last byte is in and verified.</summary>
internal sealed class UploadSession(BlobStore store, BlobPins pins, CancellationToken cancellationToken) : IAsyncDisposable
{
    // Flushing a file takes as long as receiving many small ones, so it goes on beside the receiving.
    private const int MaxCommitsUnderWay = 64;

    private readonly List<Task> commits = [];
    private BlobUpload? current;
    private int blobs;
    private long bytes;

    public async ValueTask AcceptAsync(UploadBlobsRequest request)
    {
        switch (request.MessageCase)
        {
            case UploadBlobsRequest.MessageOneofCase.Start:
                await BeginAsync(request.Start);
                break;
            case UploadBlobsRequest.MessageOneofCase.Data:
                await pins.RenewAsync(Append(request.Data.Span), cancellationToken);
                break;
            default:
                throw new InvalidRequestException("message", "empty", "set start or data");
        }

        if (current is { Remaining: 0 })
        {
            await CompleteAsync(current);
        }
    }

    public async Task<UploadBlobsResponse> FinishAsync()
    {
        if (current is not null)
        {
            throw new InvalidRequestException("data", $"{current.Remaining} bytes short of start.size", "send the rest before the stream ends");
        }

        await AwaitCommitsAsync();
        return new UploadBlobsResponse { Blobs = blobs, Bytes = bytes };
    }

    public async ValueTask DisposeAsync()
    {
        current?.Dispose();
        await Task.WhenAll(commits).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task BeginAsync(UploadStart start)
    {
        if (current is not null)
        {
            throw new InvalidRequestException("start", $"early: {current.Remaining} bytes of the last blob are due", "send them first");
        }

        var digest = BlobRules.Digest("start.sha256", start.Sha256);
        BlobRules.Range("start.size", start.Size, 1, ManifestForm.MaxPartBytes);
        BlobRules.Range("start.offset", start.Offset, 0, start.Size);
        current = await store.BeginUploadAsync(digest, start.Size, start.Offset, cancellationToken);
    }

    private Digest Append(ReadOnlySpan<byte> data)
    {
        BlobRules.Range("data", data.Length, 1, Wire.MaxFrameBytes);
        if (current is null || data.Length > current.Remaining)
        {
            throw new InvalidRequestException("data", $"{data.Length} bytes", $"{current?.Remaining ?? 0} bytes are due");
        }

        current.Write(data);
        bytes += data.Length;
        return current.Digest;
    }

    private async Task CompleteAsync(BlobUpload upload)
    {
        upload.Verify();
        current = null;
        blobs++;
        commits.Add(Task.Run(async () =>
        {
            using (upload)
            {
                await upload.CommitAsync(cancellationToken);
            }
        }, CancellationToken.None));

        if (commits.Count == MaxCommitsUnderWay)
        {
            await AwaitCommitsAsync();
        }
    }

    private async Task AwaitCommitsAsync()
    {
        await Task.WhenAll(commits);
        commits.Clear();
    }
}
