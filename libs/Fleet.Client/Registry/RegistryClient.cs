using System.Runtime.CompilerServices;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Win32.SafeHandles;
using V1 = Fleet.Contracts.Registry.V1;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Client.Registry;

/// <summary>What a push did. <paramref name="Created"/> is false when the registry had this version before.</summary>
public sealed record PushResult(Version Version, bool Created, int UploadedBlobs, long UploadedBytes);

/// <summary>A client of the registry: pushes and pulls models, names versions. Failed calls throw <see cref="RpcException"/>.</summary>
public sealed class RegistryClient : IDisposable
{
    private readonly GrpcChannel channel;
    private readonly V1.Registry.RegistryClient registry;

    /// <summary>A client of the registry at an address, for example "http://127.0.0.1:5100".</summary>
    public RegistryClient(string address)
    {
        channel = RegistryChannel.Open(address);
        registry = new V1.Registry.RegistryClient(channel);
    }

    /// <summary>
    /// Publishes a diffusers folder, or a single .safetensors checkpoint of the original layout, as a version of <paramref name="model"/>. Only blobs
    /// that the registry lacks are sent, and a push that was cut goes on where it was.
    /// </summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="model">The model's name.</param>
    /// <param name="aliases">Aliases to point at the version.</param>
    /// <param name="description">Free text, at most 64 KiB.</param>
    /// <param name="configFolders">For a single file: folders with unet/config.json, text_encoder/config.json, vae/config.json,
    /// scheduler/scheduler_config.json and tokenizer/; each is taken from the first folder that has it. None: the file's own folder.</param>
    /// <param name="progress">Told of progress and of files that are not taken.</param>
    /// <param name="cancellationToken">Stops the push; what was sent is kept for the next one.</param>
    /// <exception cref="ModelSourceException">There is no model at the path, or not one of safetensors files.</exception>
    /// <exception cref="Safetensors.SafetensorsFormatException">A .safetensors file is damaged.</exception>
    public async Task<PushResult> PushAsync(
        string path,
        string model,
        IReadOnlyList<string>? aliases = null,
        string description = "",
        IReadOnlyList<string>? configFolders = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var request = new PublishRequest { Model = model, Description = description };
        request.Aliases.AddRange(aliases ?? []);
        try
        {
            return await new VersionPush(registry, progress).RunAsync(path, configFolders ?? [], request, cancellationToken);
        }
        catch (RpcException exception) when (cancellationToken.IsCancellationRequested)
        {
            throw Cancelled(exception, cancellationToken);
        }
    }

    /// <summary>The version that a reference names: "model", "model@alias", "model@sha256:…" or "sha256:…".</summary>
    public async Task<Version> ResolveAsync(string reference, CancellationToken cancellationToken = default) =>
        (await registry.ResolveAsync(new ResolveRequest { Reference = reference }, cancellationToken: cancellationToken)).Version;

    /// <summary>Versions of a model, or of all models, newest first.</summary>
    public async IAsyncEnumerable<Version> ListAsync(string model = "", [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = new ListVersionsRequest { Model = model };
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

    /// <summary>
    /// Points an alias at a version. <paramref name="expectedVersion"/>: what it must point at now, "none" for a new one, empty for whatever it is.
    /// </summary>
    public async Task<Alias> SetAliasAsync(
        string model, string alias, string version, string expectedVersion = "", CancellationToken cancellationToken = default)
    {
        var request = new SetAliasRequest { Model = model, Alias = alias, Version = version, ExpectedVersion = expectedVersion };
        return (await registry.SetAliasAsync(request, cancellationToken: cancellationToken)).Alias;
    }

    /// <summary>Removes an alias.</summary>
    public async Task DeleteAliasAsync(string model, string alias, CancellationToken cancellationToken = default) =>
        await registry.DeleteAliasAsync(new DeleteAliasRequest { Model = model, Alias = alias }, cancellationToken: cancellationToken);

    /// <summary>Aliases of a model, or of all models.</summary>
    public async Task<IReadOnlyList<Alias>> ListAliasesAsync(string model = "", CancellationToken cancellationToken = default) =>
        (await registry.ListAliasesAsync(new ListAliasesRequest { Model = model }, cancellationToken: cancellationToken)).Aliases;

    /// <summary>
    /// Rebuilds the files of a version in a folder, byte for byte. A file appears when it is complete and verified; one that is there and right is
    /// not fetched, one that differs is replaced.
    /// </summary>
    /// <param name="digest">The version.</param>
    /// <param name="folder">Created when missing.</param>
    /// <param name="wants">Which paths to pull. Null: all.</param>
    /// <param name="progress">Told of progress.</param>
    /// <param name="cancellationToken">Stops the pull; parts that came are kept for the next one.</param>
    /// <exception cref="InvalidDataException">Bytes arrived damaged, repeatedly.</exception>
    public async Task PullAsync(
        string digest,
        string folder,
        Func<string, bool>? wants = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        try
        {
            var manifest = await GetManifestAsync(digest, cancellationToken);
            var files = manifest.Files.Where(file => wants?.Invoke(file.Path) ?? true).ToList();
            await new VersionPull(new FileDownloader(registry), folder).RunAsync(files, progress, cancellationToken);
        }
        catch (RpcException exception) when (cancellationToken.IsCancellationRequested)
        {
            throw Cancelled(exception, cancellationToken);
        }
    }

    /// <summary>Fills an open file with the bytes of a file of a version, verified. Parts that are there already and right are not fetched.</summary>
    /// <exception cref="InvalidDataException">Bytes arrived damaged, repeatedly.</exception>
    public Task DownloadAsync(
        ManifestFile file, SafeFileHandle destination, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default) =>
        new FileDownloader(registry).DownloadAsync(
            file, destination, new TransferCounter(TransferStage.Downloading, file.Size, progress), cancellationToken);

    /// <summary>Whether a file has the size and the digest that the manifest says.</summary>
    public static bool HasContent(string path, ManifestFile file, CancellationToken cancellationToken = default) =>
        VersionPull.HasContent(path, file, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => channel.Dispose();

    // gRPC says of a call that we cancelled what it says of any that failed.
    private static OperationCanceledException Cancelled(RpcException exception, CancellationToken cancellationToken) =>
        new(exception.Status.Detail, exception, cancellationToken);
}
