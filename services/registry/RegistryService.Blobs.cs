using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Blobs;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    private const int MaxDigestsPerRequest = 20_000;

    public override async Task<FindMissingBlobsResponse> FindMissingBlobs(FindMissingBlobsRequest request, ServerCallContext context)
    {
        BlobRules.Range("sha256", request.Sha256.Count, 0, MaxDigestsPerRequest);
        BlobRules.PushId("push_id", request.PushId);
        var digests = request.Sha256.Select(sha256 => BlobRules.Digest("sha256", sha256)).ToList();
        await pins.PinAsync(BlobPins.HolderOfPush(request.PushId), digests, context.CancellationToken);
        var sizes = await blobs.SizesOfAsync(digests, context.CancellationToken);
        return new FindMissingBlobsResponse { Sha256 = { request.Sha256.Where((_, i) => sizes[i] is null) } };
    }

    public override async Task<UploadBlobsResponse> UploadBlobs(IAsyncStreamReader<UploadBlobsRequest> requests, ServerCallContext context)
    {
        await using var session = new UploadSession(blobs, pins, context.CancellationToken);
        await foreach (var request in requests.ReadAllAsync(context.CancellationToken))
        {
            await session.AcceptAsync(request);
        }

        return await session.FinishAsync();
    }

    public override Task<GetUploadOffsetResponse> GetUploadOffset(GetUploadOffsetRequest request, ServerCallContext context) =>
        Task.FromResult(new GetUploadOffsetResponse { Offset = blobs.UploadedBytes(BlobRules.Digest("sha256", request.Sha256)) });

    public override async Task DownloadBlob(
        DownloadBlobRequest request, IServerStreamWriter<DownloadBlobResponse> responses, ServerCallContext context)
    {
        var digest = BlobRules.Digest("sha256", request.Sha256);
        long size = await blobs.SizeOfAsync(digest, context.CancellationToken) ?? throw new NotFoundException($"the registry has no blob {digest}");
        BlobRules.Range("offset", request.Offset, 0, size);
        try
        {
            await foreach (var frame in blobs.ReadAsync(digest, request.Offset, context.CancellationToken))
            {
                await pins.RenewAsync(digest, context.CancellationToken);

                // The frame is serialised before WriteAsync completes, so its buffer may be used again.
                await responses.WriteAsync(new DownloadBlobResponse { Data = UnsafeByteOperations.UnsafeWrap(frame) }, context.CancellationToken);
            }
        }
        catch (DamagedBlobException exception)
        {
            throw new RpcException(new Status(StatusCode.DataLoss, exception.Message));
        }
    }
}
