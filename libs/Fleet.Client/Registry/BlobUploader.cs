using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>Sends the blobs that the registry lacks over a few streams. A stream that breaks goes on where the registry has got to.</summary>
internal sealed class BlobUploader(
    V1.Registry.RegistryClient registry, string push, IReadOnlyDictionary<Digest, SourcePart> parts, TransferCounter counter)
{
    private const int Streams = 4;
    private const int MaxDigestsPerRequest = 20_000;

    // Asking where to resume costs a round trip, sending a small blob again less.
    private const long ResumableBytes = 1024 * 1024;

    /// <summary>Which of these blobs the registry lacks. It keeps the others until the push has published.</summary>
    public static async Task<IReadOnlyList<Digest>> FindMissingAsync(
        V1.Registry.RegistryClient registry, string push, IEnumerable<Digest> digests, CancellationToken cancellationToken)
    {
        var missing = new List<Digest>();
        foreach (var batch in digests.Chunk(MaxDigestsPerRequest))
        {
            var request = new FindMissingBlobsRequest { PushId = push };
            request.Sha256.AddRange(batch.Select(digest => digest.ToByteString()));
            var response = await registry.FindMissingBlobsAsync(request, cancellationToken: cancellationToken);
            missing.AddRange(response.Sha256.Select(sha256 => Digest.FromBytes(sha256.Span)));
        }

        return missing;
    }

    public async Task UploadAsync(IReadOnlyList<Digest> missing, CancellationToken cancellationToken)
    {
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Streams };
        await Parallel.ForEachAsync(Divide(missing), options, async (share, token) => await UploadShareAsync(share, token));
    }

    // Largest first, each to the stream with the least to do; then in the order of the disk.
    private IEnumerable<List<SourcePart>> Divide(IReadOnlyList<Digest> missing)
    {
        var shares = Enumerable.Range(0, Math.Min(Streams, missing.Count)).Select(_ => new List<SourcePart>()).ToList();
        var loads = new long[shares.Count];
        foreach (var part in missing.Select(digest => parts[digest]).OrderByDescending(part => part.Size))
        {
            int least = Array.IndexOf(loads, loads.Min());
            shares[least].Add(part);
            loads[least] += part.Size;
        }

        return shares.Select(share => share.OrderBy(part => part.FullPath, StringComparer.Ordinal).ThenBy(part => part.Offset).ToList());
    }

    private async Task UploadShareAsync(List<SourcePart> share, CancellationToken cancellationToken)
    {
        var retries = new Retries(reached: true, cancellationToken);
        for (bool resumed = false; ; resumed = true)
        {
            long sent = 0;
            try
            {
                if (resumed && await DropUploadedAsync(share, cancellationToken))
                {
                    retries.Reset();
                }

                await SendAsync(share, bytes =>
                {
                    sent += bytes;
                    counter.Add(bytes);
                }, cancellationToken);
                return;
            }
            catch (RpcException exception) when (retries.Allows(exception))
            {
                counter.Add(-sent);
                await retries.WaitAsync();
            }
        }
    }

    private async Task<bool> DropUploadedAsync(List<SourcePart> share, CancellationToken cancellationToken)
    {
        var missing = (await FindMissingAsync(registry, push, share.Select(part => part.Digest), cancellationToken)).ToHashSet();
        counter.Add(share.Where(part => !missing.Contains(part.Digest)).Sum(part => part.Size));
        return share.RemoveAll(part => !missing.Contains(part.Digest)) > 0;
    }

    private async Task SendAsync(List<SourcePart> share, Action<long> onSent, CancellationToken cancellationToken)
    {
        using var call = registry.UploadBlobs(cancellationToken: cancellationToken);
        byte[] buffer = new byte[PartHashing.FrameBytes];
        try
        {
            foreach (var part in share)
            {
                await SendAsync(part, call.RequestStream, buffer, onSent, cancellationToken);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception exception) when (exception is InvalidOperationException or RpcException)
        {
            _ = await call; // the registry ended the call: its status says why
            throw;
        }

        _ = await call;
    }

    private async Task SendAsync(
        SourcePart part, IClientStreamWriter<UploadBlobsRequest> requests, byte[] buffer, Action<long> onSent, CancellationToken cancellationToken)
    {
        var sha256 = part.Digest.ToByteString();
        long offset = part.Size < ResumableBytes
            ? 0
            : (await registry.GetUploadOffsetAsync(new GetUploadOffsetRequest { Sha256 = sha256 }, cancellationToken: cancellationToken)).Offset;
        offset = offset <= part.Size ? offset : 0;
        onSent(offset);
        await WriteAsync(
            requests, new UploadBlobsRequest { Start = new UploadStart { Sha256 = sha256, Size = part.Size, Offset = offset } }, cancellationToken);

        using var file = File.OpenHandle(part.FullPath);
        while (offset < part.Size)
        {
            int wanted = (int)Math.Min(buffer.Length, part.Size - offset);
            int count = await RandomAccess.ReadAsync(file, buffer.AsMemory(0, wanted), part.Offset + offset, cancellationToken);
            if (count == 0)
            {
                throw new ModelSourceException(part.FullPath, "became shorter while it was pushed");
            }

            // Serialised before writing completes, so the buffer may be used again.
            var data = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, count));
            await WriteAsync(requests, new UploadBlobsRequest { Data = data }, cancellationToken);
            offset += count;
            onSent(count);
        }
    }

    // A connection that breaks under a write shows as a bare IOException, which would look like a fault of our disk.
    private static async Task WriteAsync(
        IClientStreamWriter<UploadBlobsRequest> requests, UploadBlobsRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await requests.WriteAsync(request, cancellationToken);
        }
        catch (IOException exception)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, exception.Message, exception));
        }
    }
}
