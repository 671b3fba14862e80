using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Fleet.Registry.Publishing;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    private const int MaxAliasesPerRequest = 100;
    private const int MaxSignaturesPerRequest = 20;
    private const int DefaultPageSize = 100;

    public override async Task<PublishResponse> Publish(PublishRequest request, ServerCallContext context)
    {
        BlobRules.Range("aliases", request.Aliases.Count, 0, MaxAliasesPerRequest);
        BlobRules.PushId("push_id", request.PushId);
        BlobRules.Range("signatures", request.Signatures.Count, 0, MaxSignaturesPerRequest);
        var given = new NewVersion(
            CatalogRules.Model("model", request.Model),
            request.Manifest ?? new Manifest(),
            MetadataRules.Description(request.Description),
            MetadataRules.Metadata(request.Metadata),
            [.. request.Aliases.Select(alias => CatalogRules.Alias("aliases", alias))]);

        try
        {
            given = await WithSignaturesAsync(given, request.Signatures, context.CancellationToken);
            var (version, created) = await publisher.PublishAsync(given, request.PushId, CallActor.ActorOf(context), context.CancellationToken);
            return new PublishResponse { Version = version, Created = created };
        }
        catch (Exception exception) when (exception is ManifestFormatException or UnusableModelException)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, exception.Message));
        }
        catch (DamagedBlobException exception)
        {
            throw new PreconditionException(exception.Message, exception);
        }
    }

    public override async Task<ResolveResponse> Resolve(ResolveRequest request, ServerCallContext context) =>
        new() { Version = await catalog.ResolveAsync(VersionReference.Parse(request.Reference), context.CancellationToken) };

    public override async Task<GetManifestResponse> GetManifest(GetManifestRequest request, ServerCallContext context)
    {
        var version = CatalogRules.Version("digest", request.Digest);
        var manifest = await catalog.ReadManifestAsync(version, context.CancellationToken);
        var digests = manifest.Files.SelectMany(file => file.Parts).Select(part => Digest.FromBytes(part.Sha256.Span));
        if (await pins.PinPullAsync(version, digests, context.CancellationToken))
        {
            // It may have been deleted, and its blobs collected, before they were pinned.
            manifest = await catalog.ReadManifestAsync(version, context.CancellationToken);
        }

        return new GetManifestResponse { Manifest = manifest };
    }

    public override async Task<ListVersionsResponse> ListVersions(ListVersionsRequest request, ServerCallContext context)
    {
        int pageSize = request.PageSize == 0 ? DefaultPageSize : RequestRules.Within("page_size", request.PageSize, 1, 1000);
        var (versions, next) = await catalog.ListAsync(VersionFilter.Parse(request), pageSize, PageToken.Parse(request.PageToken), context.CancellationToken);
        return new ListVersionsResponse { Versions = { versions }, NextPageToken = PageToken.Of(next) };
    }

    public override async Task<UpdateMetadataResponse> UpdateMetadata(UpdateMetadataRequest request, ServerCallContext context)
    {
        if (request.Fields.Count == 0)
        {
            throw new InvalidRequestException("fields", null, "name at least one field to replace");
        }

        var version = await catalog.UpdateMetadataAsync(
            CatalogRules.Model("model", request.Model),
            CatalogRules.Version("version", request.Version),
            request.Fields,
            MetadataRules.Description(request.Description),
            MetadataRules.Metadata(request.Metadata),
            request.ExpectedRevision,
            CallActor.ActorOf(context),
            context.CancellationToken);
        return new UpdateMetadataResponse { Version = version };
    }

    public override async Task<DeprecateVersionResponse> DeprecateVersion(DeprecateVersionRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        var digest = CatalogRules.Version("version", request.Version);
        string reason = MetadataRules.DeprecationReason(request.Reason);
        var version = await catalog.DeprecateAsync(model, digest, reason, CallActor.ActorOf(context), context.CancellationToken);
        return new DeprecateVersionResponse { Version = version };
    }

    public override async Task<DeleteVersionResponse> DeleteVersion(DeleteVersionRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        await catalog.DeleteAsync(model, CatalogRules.Version("version", request.Version), CallActor.ActorOf(context), context.CancellationToken);
        return new DeleteVersionResponse();
    }
}
