using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Fleet.Serving.Versions;

/// <summary>
/// The versions on this machine, as parts that they share, fetched from the registry when they are first needed. Several processes may share the
/// folder; what it promises is in README.md beside this file.
/// </summary>
public sealed partial class VersionStore
{
    private readonly RegistryClient registry;
    private readonly ILogger<VersionStore> logger;
    private readonly StoreFolder folder;
    private readonly PartStore parts;

    /// <summary>A store in the folder of <paramref name="options"/>, filled through <paramref name="registry"/>.</summary>
    public VersionStore(RegistryClient registry, IOptions<VersionStoreOptions> options, ILogger<VersionStore> logger)
    {
        this.registry = registry;
        this.logger = logger;
        folder = new StoreFolder(options.Value.Path);
        parts = new PartStore(folder, registry, new StoreCollector(folder, options.Value.MaxBytes, logger), logger);
        if (folder.RemoveFormerLayout())
        {
            Log.RemovedFormerLayout(logger, options.Value.Path);
        }
    }

    /// <summary>Sees to it that the wanted files of a version are here, complete and verified.</summary>
    /// <param name="version">"sha256:" and 64 hexadecimal digits.</param>
    /// <param name="wants">Which of the version's paths are wanted.</param>
    /// <param name="cancellation">Stops the fetching; parts that came are kept.</param>
    /// <exception cref="NotFoundException">The registry has no such version.</exception>
    /// <exception cref="UnavailableException">Something is missing here and the registry cannot be reached.</exception>
    /// <exception cref="PreconditionException">The registry's copy is damaged.</exception>
    /// <exception cref="OverloadedException">Versions in use leave no room on the disk.</exception>
    public async Task<VersionFiles> OpenAsync(string version, Func<string, bool> wants, CancellationToken cancellation)
    {
        _ = RequestRules.VersionDigest(version);
        var use = await HeldFile.ShareAsync(folder.UseHold(version), cancellation);
        try
        {
            var manifest = await GetManifestAsync(version, cancellation);
            var files = manifest.Files.Where(file => wants(file.Path)).ToList();
            long fetched = await FromRegistryAsync(version, () => parts.ProvideAsync([.. files.SelectMany(file => file.Parts)], cancellation));
            if (fetched > 0)
            {
                Log.Fetched(logger, version, fetched);
            }

            return new VersionFiles(use, new ModelParts(files.ToDictionary(file => file.Path, PartsOf)), fetched);
        }
        catch
        {
            use.Dispose();
            throw;
        }
    }

    /// <summary>The manifest of a version: from this machine when it is here, else from the registry.</summary>
    /// <inheritdoc cref="OpenAsync" path="/exception"/>
    public async Task<Manifest> GetManifestAsync(string version, CancellationToken cancellation)
    {
        _ = RequestRules.VersionDigest(version);
        if (folder.ReadManifest(version) is { } known)
        {
            return known;
        }

        var manifest = await FromRegistryAsync(version, () => registry.GetManifestAsync(version, cancellation));
        string path = folder.ManifestPath(version);
        string temporary = $"{path}.{Guid.NewGuid():N}";
        await File.WriteAllBytesAsync(temporary, manifest.ToByteArray(), cancellation);
        File.Move(temporary, path, overwrite: true);
        return manifest;
    }

    private static async Task<T> FromRegistryAsync<T>(string version, Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.NotFound)
        {
            throw new NotFoundException(exception.Status.Detail);
        }
        catch (RpcException exception) when (exception.StatusCode == StatusCode.DataLoss)
        {
            throw new PreconditionException($"version {version} cannot be fetched: {exception.Status.Detail}", exception);
        }
        catch (InvalidDataException exception)
        {
            throw new PreconditionException($"version {version} cannot be fetched: {exception.Message}", exception);
        }
        catch (RpcException exception) when (exception.StatusCode is StatusCode.Cancelled)
        {
            throw new OperationCanceledException("The fetching was given up.", exception);
        }
        catch (RpcException exception)
        {
            throw new UnavailableException(
                $"version {version} is not complete on this machine and the registry cannot be reached: {exception.Status.Detail}", exception);
        }
    }

    private IReadOnlyList<FilePart> PartsOf(ManifestFile file) =>
    [
        .. file.Parts.Select(part =>
        {
            string digest = Digest.FromBytes(part.Sha256.Span).Hex;
            return new FilePart(digest, folder.PartPath(digest), part.Size);
        }),
    ];

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Fetched {Bytes} bytes of {Version}")]
        public static partial void Fetched(ILogger logger, string version, long bytes);

        [LoggerMessage(Level = LogLevel.Information, Message = "{Path} held whole files of versions; they were removed and are fetched again as parts when they are needed")]
        public static partial void RemovedFormerLayout(ILogger logger, string path);
    }
}
