using System.Runtime.CompilerServices;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Client.Registry;

/// <content>Versions, what is said about them, and the aliases that point at them.</content>
public sealed partial class RegistryClient
{
    /// <summary>The version that a reference names: "model", "model@alias", "model@sha256:…" or "sha256:…".</summary>
    public async Task<Version> ResolveAsync(string reference, CancellationToken cancellationToken = default) =>
        (await registry.ResolveAsync(new ResolveRequest { Reference = reference }, cancellationToken: cancellationToken)).Version;

    /// <summary>Versions of a model, or of all models, newest first.</summary>
    public IAsyncEnumerable<Version> ListAsync(string model = "", CancellationToken cancellationToken = default) =>
        ListAsync(new ListVersionsRequest { Model = model }, cancellationToken);

    /// <summary>Versions that a request asks for, newest first, from all pages.</summary>
    public async IAsyncEnumerable<Version> ListAsync(
        ListVersionsRequest wanted, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = wanted.Clone();
        do
        {
            var page = await registry.ListVersionsAsync(request, cancellationToken: cancellationToken);
            foreach (var version in page.Versions)
            {
                yield return version;
            }

            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken != "");
    }

    /// <summary>The manifest of a version, in canonical form and verified against the digest.</summary>
    /// <exception cref="InvalidDataException">The registry answered with something else.</exception>
    public async Task<Manifest> GetManifestAsync(string digest, CancellationToken cancellationToken = default)
    {
        var response = await registry.GetManifestAsync(new GetManifestRequest { Digest = digest }, cancellationToken: cancellationToken);
        try
        {
            var manifest = ManifestForm.Canonical(response.Manifest);
            string actual = ManifestForm.DigestOf(manifest).Version;
            return actual == digest ? manifest : throw new InvalidDataException($"the registry gave the manifest of {actual} for {digest}");
        }
        catch (ManifestFormatException exception)
        {
            throw new InvalidDataException($"the registry gave a manifest for {digest} that cannot be used: {exception.Message}", exception);
        }
    }

    /// <summary>Replaces what is said about a version; <see cref="UpdateMetadataRequest.Fields"/> names what.</summary>
    public async Task<Version> UpdateMetadataAsync(UpdateMetadataRequest request, CancellationToken cancellationToken = default) =>
        (await registry.UpdateMetadataAsync(request, cancellationToken: cancellationToken)).Version;

    /// <summary>Marks a version as one not to be used any more; an empty reason takes the mark away.</summary>
    public async Task<Version> DeprecateAsync(string model, string version, string reason, CancellationToken cancellationToken = default)
    {
        var request = new DeprecateVersionRequest { Model = model, Version = version, Reason = reason };
        return (await registry.DeprecateVersionAsync(request, cancellationToken: cancellationToken)).Version;
    }

    /// <summary>Deletes a version of a model that nothing refers to; its space is freed by <see cref="CollectGarbageAsync"/>.</summary>
    public async Task DeleteAsync(string model, string version, CancellationToken cancellationToken = default) =>
        await registry.DeleteVersionAsync(new DeleteVersionRequest { Model = model, Version = version }, cancellationToken: cancellationToken);

    /// <summary>
    /// Points an alias at a version. <paramref name="expectedVersion"/>: what it must point at now, "none" for a new one, empty for whatever it is.
    /// </summary>
    public async Task<Alias> SetAliasAsync(
        string model, string alias, string version, string expectedVersion = "", CancellationToken cancellationToken = default)
    {
        var request = new SetAliasRequest { Model = model, Alias = alias, Version = version, ExpectedVersion = expectedVersion };
        return (await registry.SetAliasAsync(request, cancellationToken: cancellationToken)).Alias;
    }

    /// <summary>Protects an alias, or lifts the protection.</summary>
    public async Task<Alias> ProtectAliasAsync(string model, string alias, bool isProtected, CancellationToken cancellationToken = default)
    {
        var request = new ProtectAliasRequest { Model = model, Alias = alias, Protected = isProtected };
        return (await registry.ProtectAliasAsync(request, cancellationToken: cancellationToken)).Alias;
    }

    /// <summary>Removes an alias.</summary>
    public async Task DeleteAliasAsync(string model, string alias, CancellationToken cancellationToken = default) =>
        await registry.DeleteAliasAsync(new DeleteAliasRequest { Model = model, Alias = alias }, cancellationToken: cancellationToken);

    /// <summary>Aliases of a model, or of all models.</summary>
    public async Task<IReadOnlyList<Alias>> ListAliasesAsync(string model = "", CancellationToken cancellationToken = default) =>
        (await registry.ListAliasesAsync(new ListAliasesRequest { Model = model }, cancellationToken: cancellationToken)).Aliases;

    /// <summary>Where an alias pointed at a moment (null: now), and the entry of the log that pointed it there.</summary>
    public async Task<GetAliasAtResponse> GetAliasAtAsync(
        string model, string alias, DateTimeOffset? at = null, CancellationToken cancellationToken = default)
    {
        var request = new GetAliasAtRequest { Model = model, Alias = alias, At = at is { } moment ? Timestamp.FromDateTimeOffset(moment) : null };
        return await audit.GetAliasAtAsync(request, cancellationToken: cancellationToken);
    }

    /// <summary>Adds a signature, a Sigstore bundle as JSON, to a version.</summary>
    public async Task<Signature> AddSignatureAsync(string version, byte[] bundle, CancellationToken cancellationToken = default)
    {
        var request = new AddSignatureRequest { Version = version, Bundle = ByteString.CopyFrom(bundle) };
        return (await registry.AddSignatureAsync(request, cancellationToken: cancellationToken)).Signature;
    }

    /// <summary>The signatures of a version.</summary>
    public async Task<IReadOnlyList<Signature>> ListSignaturesAsync(string version, CancellationToken cancellationToken = default) =>
        (await registry.ListSignaturesAsync(new ListSignaturesRequest { Version = version }, cancellationToken: cancellationToken)).Signatures;
}
