using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    private const long DefaultUploadAgeSeconds = 24 * 60 * 60;
    private const long MaxUploadAgeSeconds = 10 * 365 * 24 * 60 * 60L;

    // The contract says: at least every second.
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(500);

    public override async Task<CollectGarbageResponse> CollectGarbage(CollectGarbageRequest request, ServerCallContext context)
    {
        long seconds = request.HasUploadsOlderThanSeconds ? request.UploadsOlderThanSeconds : DefaultUploadAgeSeconds;
        BlobRules.Range("uploads_older_than_seconds", seconds, 1, MaxUploadAgeSeconds);
        return await collector.CollectAsync(
            request.DryRun, TimeSpan.FromSeconds(seconds), CallActor.ActorOf(context), context.CancellationToken);
    }

    public override async Task VerifyBlobs(VerifyBlobsRequest request, IServerStreamWriter<VerifyBlobsResponse> responses, ServerCallContext context)
    {
        Digest? version = request.Version == "" ? null : CatalogRules.Version("version", request.Version);
        var verification = await verifier.BeginAsync(version, context.CancellationToken);
        while (await Task.WhenAny(verification.Completion, Task.Delay(ProgressInterval, context.CancellationToken)) != verification.Completion)
        {
            await responses.WriteAsync(verification.Take(done: false), context.CancellationToken);
        }

        await verification.Completion;
        await responses.WriteAsync(verification.Take(done: true), context.CancellationToken);
    }
}
