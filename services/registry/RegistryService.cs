using System.Globalization;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Blobs;
using Fleet.Registry.Catalog;
using Fleet.Registry.Publishing;
using Google.Protobuf;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry;

internal sealed class RegistryService(BlobStore blobs, VersionCatalog catalog, Publisher publisher) : V1.Registry.RegistryBase
{
    private const int MaxDigestsPerRequest = 20_000;
    private const int MaxAliasesPerRequest = 100;
    private const int DefaultPageSize = 100;

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

    public override async Task<PublishResponse> Publish(PublishRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        string description = CatalogRules.Description(request.Description);
        BlobRules.Range("aliases", request.Aliases.Count, 0, MaxAliasesPerRequest);
        foreach (string alias in request.Aliases)
        {
            _ = CatalogRules.Alias("aliases", alias);
        }

        try
        {
            var (version, created) = await publisher.PublishAsync(
                model, request.Manifest ?? new Manifest(), description, request.Aliases, context.CancellationToken);
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

    public override Task<ResolveResponse> Resolve(ResolveRequest request, ServerCallContext context) =>
        Task.FromResult(new ResolveResponse { Version = catalog.Resolve(VersionReference.Parse(request.Reference)) });

    public override Task<GetManifestResponse> GetManifest(GetManifestRequest request, ServerCallContext context) =>
        Task.FromResult(new GetManifestResponse { Manifest = catalog.ReadManifest(CatalogRules.Version("digest", request.Digest)) });

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

    public override Task<ListVersionsResponse> ListVersions(ListVersionsRequest request, ServerCallContext context)
    {
        int pageSize = request.PageSize == 0 ? DefaultPageSize : RequestRules.Within("page_size", request.PageSize, 1, 1000);
        var (versions, next) = catalog.List(OptionalModel(request.Model), pageSize, ParsePageToken(request.PageToken));
        var response = new ListVersionsResponse { NextPageToken = next == 0 ? "" : next.ToString("x", CultureInfo.InvariantCulture) };
        response.Versions.AddRange(versions);
        return Task.FromResult(response);
    }

    public override Task<SetAliasResponse> SetAlias(SetAliasRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        string alias = CatalogRules.Alias("alias", request.Alias);
        var version = CatalogRules.Version("version", request.Version);
        string expected = request.ExpectedVersion is "" or VersionCatalog.NoVersion
            ? request.ExpectedVersion
            : CatalogRules.Version("expected_version", request.ExpectedVersion).Version;
        return Task.FromResult(new SetAliasResponse { Alias = catalog.SetAlias(model, alias, version, expected) });
    }

    public override Task<DeleteAliasResponse> DeleteAlias(DeleteAliasRequest request, ServerCallContext context)
    {
        catalog.DeleteAlias(CatalogRules.Model("model", request.Model), CatalogRules.Alias("alias", request.Alias));
        return Task.FromResult(new DeleteAliasResponse());
    }

    public override Task<ListAliasesResponse> ListAliases(ListAliasesRequest request, ServerCallContext context)
    {
        var response = new ListAliasesResponse();
        response.Aliases.AddRange(catalog.ListAliases(OptionalModel(request.Model)));
        return Task.FromResult(response);
    }

    private static string OptionalModel(string model) => model == "" ? "" : CatalogRules.Model("model", model);

    private static long ParsePageToken(string token)
    {
        long before = 0;
        return token == "" || (long.TryParse(token, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out before) && before > 0)
            ? before
            : throw new InvalidRequestException("page_token", token, "give the next_page_token of the last response");
    }
}
