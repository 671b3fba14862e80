using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Catalog;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    public override async Task<SetQuotaResponse> SetQuota(SetQuotaRequest request, ServerCallContext context)
    {
        string name = CatalogRules.Namespace("namespace", request.Namespace);
        long bytes = request.Bytes >= 0 ? request.Bytes : throw new InvalidRequestException("bytes", request.Bytes, "give 0 for no limit, or more");
        return new SetQuotaResponse { Usage = await quotas.SetAsync(name, bytes, CallActor.ActorOf(context), context.CancellationToken) };
    }

    public override async Task<ListUsageResponse> ListUsage(ListUsageRequest request, ServerCallContext context) =>
        new() { Usages = { await quotas.ListAsync(context.CancellationToken) } };
}
