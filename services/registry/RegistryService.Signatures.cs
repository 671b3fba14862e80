using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Catalog;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Registry;

internal sealed partial class RegistryService
{
    public override async Task<AddSignatureResponse> AddSignature(AddSignatureRequest request, ServerCallContext context)
    {
        var version = CatalogRules.Version("version", request.Version);
        var manifest = await catalog.ReadManifestAsync(version, context.CancellationToken);
        var given = signatureChecks.Check(request.Bundle.ToByteArray(), manifest, "bundle");
        var stored = await signatures.AddAsync(version, given, CallActor.ActorOf(context), context.CancellationToken);
        return new AddSignatureResponse { Signature = stored.ToMessage() };
    }

    public override async Task<ListSignaturesResponse> ListSignatures(ListSignaturesRequest request, ServerCallContext context)
    {
        var version = CatalogRules.Version("version", request.Version);
        _ = await catalog.ReadManifestAsync(version, context.CancellationToken); // NOT_FOUND for a version that there is not
        var stored = await signatures.ListAsync(version, context.CancellationToken);
        return new ListSignaturesResponse { Signatures = { stored.Select(signature => signature.ToMessage()) } };
    }

    private async Task<NewVersion> WithSignaturesAsync(NewVersion version, IEnumerable<ByteString> bundles, CancellationToken cancellation)
    {
        var manifest = ManifestForm.Canonical(version.Manifest);
        var given = bundles.Select((bundle, i) => signatureChecks.Check(bundle.ToByteArray(), manifest, $"signatures[{i}]")).ToList();
        await signaturePolicy.RequireAsync(ManifestForm.DigestOf(manifest), given, cancellation);
        return version with { Signatures = given };
    }
}
