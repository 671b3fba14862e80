using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Catalog;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Audit;

internal sealed class AuditService(AuditHistory history, LogVerifier verifier) : V1.Audit.AuditBase
{
    private const int DefaultPageSize = 100;

    public override async Task<ListEntriesResponse> ListEntries(ListEntriesRequest request, ServerCallContext context)
    {
        int pageSize = request.PageSize == 0 ? DefaultPageSize : RequestRules.Within("page_size", request.PageSize, 1, 1000);
        var (entries, next) = await history.ListAsync(
            AuditFilter.Parse(request), request.NewestFirst, pageSize, PageToken.Parse(request.PageToken), context.CancellationToken);
        return new ListEntriesResponse { Entries = { entries }, NextPageToken = PageToken.Of(next) };
    }

    public override async Task<GetAliasAtResponse> GetAliasAt(GetAliasAtRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        string alias = request.Alias == "" ? VersionReference.DefaultAlias : CatalogRules.Alias("alias", request.Alias);
        long? at = request.At is null ? null : AuditFilter.Floor("at", request.At);
        var entry = await history.FindAliasAsync(model, alias, at, context.CancellationToken);
        return new GetAliasAtResponse { Version = entry.Details["to"], Entry = entry };
    }

    public override Task<VerifyLogResponse> VerifyLog(VerifyLogRequest request, ServerCallContext context) =>
        verifier.VerifyAsync((request.KnownEntries, request.KnownHead), context.CancellationToken);
}
