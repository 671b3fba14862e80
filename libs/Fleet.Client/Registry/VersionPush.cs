using Fleet.Contracts.Registry.V1;
using Google.Protobuf;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>Makes a version of a model on this machine: hash, ask what is missing, send that, publish.</summary>
internal sealed class VersionPush(V1.Registry.RegistryClient registry, IProgress<TransferProgress>? progress)
{
    public async Task<PushResult> RunAsync(ModelPush push, CancellationToken cancellationToken)
    {
        var source = new ModelSource(notice => progress?.Report(new TransferProgress(TransferStage.Hashing, 0, 0, notice)));
        var plan = await PushPlan.MakeAsync(source.Find(push.Path, push.ConfigFolders), progress, cancellationToken);

        var missing = await BlobUploader.FindMissingAsync(registry, plan.Parts.Keys, cancellationToken);
        long bytes = missing.Sum(digest => plan.Parts[digest].Size);
        var counter = new TransferCounter(TransferStage.Uploading, bytes, progress);
        await new BlobUploader(registry, plan.Parts, counter).UploadAsync(missing, cancellationToken);

        progress?.Report(new TransferProgress(TransferStage.Publishing, 0, 0));
        var response = await PublishAsync(Request(push, plan.Manifest), cancellationToken);
        return new PushResult(response.Version, response.Created, missing.Count, bytes);
    }

    private static PublishRequest Request(ModelPush push, Manifest manifest)
    {
        var request = new PublishRequest { Model = push.Model, Manifest = manifest, Description = push.Description, Metadata = push.Metadata };
        request.Aliases.AddRange(push.Aliases);
        if (push.Sign is { } sign)
        {
            request.Signatures.Add(ByteString.CopyFrom(sign(manifest)));
        }

        return request;
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
            catch (RpcException exception) when (retries.Allows(exception))
            {
                await retries.WaitAsync();
            }
        }
    }
}
