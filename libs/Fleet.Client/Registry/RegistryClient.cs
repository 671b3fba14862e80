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
public sealed partial class RegistryClient : IDisposable
{
    private readonly GrpcChannel channel;
    private readonly V1.Registry.RegistryClient registry;
    private readonly Audit.AuditClient audit;

    /// <summary>A client of the registry at an address, for example "http://127.0.0.1:5100", that names itself by a token if it has one.</summary>
    public RegistryClient(string address, string token = "")
    {
        channel = RegistryChannel.Open(address);
        var calls = RegistryChannel.WithToken(channel, token);
        registry = new V1.Registry.RegistryClient(calls);
        audit = new Audit.AuditClient(calls);
    }

    /// <summary>Publishes a model; see <see cref="ModelPush"/> for what the parameters mean.</summary>
    public Task<PushResult> PushAsync(
        string path,
        string model,
        IReadOnlyList<string>? aliases = null,
        string description = "",
        IReadOnlyList<string>? configFolders = null,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        PushAsync(
            new ModelPush(path, model) { Aliases = aliases ?? [], Description = description, ConfigFolders = configFolders ?? [] },
            progress,
            cancellationToken);

    /// <summary>Publishes a model as a version. Only blobs that the registry lacks are sent, and a push that was cut goes on where it was.</summary>
    /// <param name="push">What is published.</param>
    /// <param name="progress">Told of progress and of files that are not taken.</param>
    /// <param name="cancellationToken">Stops the push; what was sent is kept for the next one.</param>
    /// <exception cref="ModelSourceException">There is no model at the path, or not one of safetensors files.</exception>
    /// <exception cref="Safetensors.SafetensorsFormatException">A .safetensors file is damaged.</exception>
    public async Task<PushResult> PushAsync(
        ModelPush push, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        try
        {
            return await new VersionPush(registry, progress).RunAsync(push, cancellationToken);
        }
        catch (RpcException exception) when (cancellationToken.IsCancellationRequested)
        {
            throw Cancelled(exception, cancellationToken);
        }
    }

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

    internal Task UploadAsync(
        IReadOnlyDictionary<Digest, SourcePart> parts, IProgress<TransferProgress>? progress, CancellationToken cancellationToken)
    {
        var counter = new TransferCounter(TransferStage.Uploading, parts.Values.Sum(part => part.Size), progress);
        return new BlobUploader(registry, Guid.NewGuid().ToString("N"), parts, counter).UploadAsync([.. parts.Keys], cancellationToken);
    }

    internal Stream OpenBlob(Digest digest, long size) => new BlobStream(registry, digest, size);

    /// <summary>Whether a file has the size and the digest that the manifest says.</summary>
    public static bool HasContent(string path, ManifestFile file, CancellationToken cancellationToken = default) =>
        VersionPull.HasContent(path, file, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => channel.Dispose();

    // gRPC says of a call that we cancelled what it says of any that failed.
    private static OperationCanceledException Cancelled(RpcException exception, CancellationToken cancellationToken) =>
        new(exception.Status.Detail, exception, cancellationToken);
}
