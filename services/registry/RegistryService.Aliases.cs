using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Catalog;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    public override async Task<SetAliasResponse> SetAlias(SetAliasRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        string alias = CatalogRules.Alias("alias", request.Alias);
        var version = CatalogRules.Version("version", request.Version);
        string expected = request.ExpectedVersion is "" or VersionCatalog.NoVersion
            ? request.ExpectedVersion
            : CatalogRules.Version("expected_version", request.ExpectedVersion).Version;
        if (alias == VersionReference.DefaultAlias)
        {
            await signaturePolicy.RequireAsync(version, context.CancellationToken);
        }

        var moved = await catalog.SetAliasAsync(model, alias, version, expected, CallActor.ActorOf(context), context.CancellationToken);
        return new SetAliasResponse { Alias = moved };
    }

    public override async Task<ProtectAliasResponse> ProtectAlias(ProtectAliasRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        string alias = CatalogRules.Alias("alias", request.Alias);
        var known = await catalog.ProtectAliasAsync(model, alias, request.Protected, CallActor.ActorOf(context), context.CancellationToken);
        return new ProtectAliasResponse { Alias = known };
    }

    public override async Task<DeleteAliasResponse> DeleteAlias(DeleteAliasRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        string alias = CatalogRules.Alias("alias", request.Alias);
        await catalog.DeleteAliasAsync(model, alias, CallActor.ActorOf(context), context.CancellationToken);
        return new DeleteAliasResponse();
    }

    public override async Task<ListAliasesResponse> ListAliases(ListAliasesRequest request, ServerCallContext context)
    {
        var aliases = await catalog.ListAliasesAsync(CatalogRules.OptionalModel("model", request.Model), context.CancellationToken);
        return new ListAliasesResponse { Aliases = { aliases } };
    }
}
