using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>Makes a version of a model on this machine: hash, ask what is missing, send that, publish.</summary>
internal sealed class VersionPush(V1.Registry.RegistryClient registry, IProgress<TransferProgress>? progress)
{
    private const int MaxRounds = 3;

    private readonly string id = Guid.NewGuid().ToString("N");

    public async Task<PushResult> RunAsync(ModelPush push, CancellationToken cancellationToken)
    {
        var source = new ModelSource(notice => progress?.Report(new TransferProgress(TransferStage.Hashing, 0, 0, notice)));
        var plan = await PushPlan.MakeAsync(source.Find(push.Path, push.ConfigFolders), progress, cancellationToken);
        var request = Request(push, plan.Manifest);
        var missing = await FindMissingAsync(plan, cancellationToken);
        var sent = new HashSet<Digest>();
        for (int round = 1; ; round++)
        {
            await UploadAsync(plan, missing, cancellationToken);
            sent.UnionWith(missing);
            try
            {
                progress?.Report(new TransferProgress(TransferStage.Publishing, 0, 0));
                var response = await PublishAsync(request, cancellationToken);
                return new PushResult(response.Version, response.Created, sent.Count, sent.Sum(digest => plan.Parts[digest].Size));
            }
            catch (RpcException exception) when (exception.StatusCode is StatusCode.FailedPrecondition or StatusCode.Aborted && round < MaxRounds)
            {
                // A stored blob turned out to be damaged, or this push slept so long that the registry freed what it had kept for it.
                missing = await FindMissingAsync(plan, cancellationToken);
                if (missing.Count == 0 && exception.StatusCode == StatusCode.FailedPrecondition)
                {
                    throw;
                }
            }
        }
    }

    private PublishRequest Request(ModelPush push, Manifest manifest)
    {
        var request = new PublishRequest
        {
            Model = push.Model,
            Manifest = manifest,
            Description = push.Description,
            Metadata = push.Metadata,
            PushId = id,
        };
        request.Aliases.AddRange(push.Aliases);
        if (push.Sign is { } sign)
        {
            request.Signatures.Add(ByteString.CopyFrom(sign(manifest)));
        }

        return request;
    }

    private Task<IReadOnlyList<Digest>> FindMissingAsync(PushPlan plan, CancellationToken cancellationToken) =>
        BlobUploader.FindMissingAsync(registry, id, plan.Parts.Keys, cancellationToken);

    private async Task UploadAsync(PushPlan plan, IReadOnlyList<Digest> missing, CancellationToken cancellationToken)
    {
        var counter = new TransferCounter(TransferStage.Uploading, missing.Sum(digest => plan.Parts[digest].Size), progress);
        await new BlobUploader(registry, id, plan.Parts, counter).UploadAsync(missing, cancellationToken);
    }

    // Publishing again gives the same version, so a registry that was restarted meanwhile is asked again.
    private async Task<PublishResponse> PublishAsync(PublishRequest request, CancellationToken cancellationToken)
    {
        var retries = new Retries(reached: true, cancellationToken);
        while (true)
        {
            try
            {
                return await registry.PublishAsync(request, cancellationToken: cancellationToken);
            }
            catch (RpcException exception) when (exception.StatusCode != StatusCode.Aborted && retries.Allows(exception))
            {
                await retries.WaitAsync();
            }
        }
    }
}
