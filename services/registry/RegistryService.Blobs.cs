using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Blobs;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    private const int MaxDigestsPerRequest = 20_000;

    public override Task<FindMissingBlobsResponse> FindMissingBlobs(FindMissingBlobsRequest request, ServerCallContext context)
    {
        BlobRules.Range("sha256", request.Sha256.Count, 0, MaxDigestsPerRequest);
        var response = new FindMissingBlobsResponse();
        response.Sha256.AddRange(request.Sha256.Where(sha256 => blobs.SizeOf(BlobRules.Digest("sha256", sha256)) is null));
        return Task.FromResult(response);
    }

    public override async Task<UploadBlobsResponse> UploadBlobs(IAsyncStreamReader<UploadBlobsRequest> requests, ServerCallContext context)
    {
        await using var session = new UploadSession(blobs);
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
        long size = blobs.SizeOf(digest) ?? throw new NotFoundException($"the registry has no blob {digest}");
        BlobRules.Range("offset", request.Offset, 0, size);
        try
        {
            await foreach (var frame in blobs.ReadAsync(digest, request.Offset, context.CancellationToken))
            {
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
