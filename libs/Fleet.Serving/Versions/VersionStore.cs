using System.Collections.Concurrent;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Hosting.Files;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Serving.Versions;

/// <summary>
/// The files of versions on this machine, fetched from the registry when they are first needed. A file under versions/ is complete; its digest
/// is checked when this process first uses it. Several processes may share the folder.
/// </summary>
public sealed partial class VersionStore : IAsyncDisposable
{
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(50);

    private readonly RegistryClient registry;
    private readonly ILogger<VersionStore> logger;
    private readonly string root;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<string, Lazy<Task>> underWay = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (long Length, DateTime Written)> verified = new(StringComparer.Ordinal);

    /// <summary>A store in the folder of <paramref name="options"/>, filled through <paramref name="registry"/>.</summary>
    public VersionStore(RegistryClient registry, IOptions<VersionStoreOptions> options, ILogger<VersionStore> logger)
    {
        this.registry = registry;
        this.logger = logger;
        root = Path.GetFullPath(options.Value.Path);
        foreach (string folder in (string[])["versions", "manifests", "partial", "locks"])
        {
            _ = Directory.CreateDirectory(Path.Combine(root, folder));
        }
    }

    /// <summary>Sees to it that the wanted files of a version are here, complete and verified.</summary>
    /// <param name="version">"sha256:" and 64 hexadecimal digits.</param>
    /// <param name="wants">Which of the version's paths are wanted.</param>
    /// <param name="cancellation">Gives up waiting; the fetching goes on for others.</param>
    /// <returns>The folder that holds them under their paths.</returns>
    /// <exception cref="NotFoundException">The registry has no such version.</exception>
    /// <exception cref="UnavailableException">Something is missing here and the registry cannot be reached.</exception>
    /// <exception cref="PreconditionException">The registry's copy is damaged.</exception>
    public async Task<string> EnsureAsync(string version, Func<string, bool> wants, CancellationToken cancellation)
    {
        var manifest = await GetManifestAsync(version, cancellation);
        string folder = Path.Combine(root, "versions", HexOf(version));
        await Task.WhenAll(manifest.Files.Where(file => wants(file.Path)).Select(file => EnsureFileAsync(version, folder, file, cancellation)));
        return folder;
    }

    /// <summary>The manifest of a version: from this machine when it is here, else from the registry.</summary>
    /// <inheritdoc cref="EnsureAsync" path="/exception"/>
    public async Task<Manifest> GetManifestAsync(string version, CancellationToken cancellation)
    {
        string path = Path.Combine(root, "manifests", HexOf(version));
        if (ReadManifest(path, version) is { } known)
        {
            return known;
        }

        var manifest = await FromRegistryAsync(version, () => registry.GetManifestAsync(version, cancellation));
        string temporary = $"{path}.{Guid.NewGuid():N}";
        await File.WriteAllBytesAsync(temporary, manifest.ToByteArray(), cancellation);
        File.Move(temporary, path, overwrite: true);
        return manifest;
    }

    /// <summary>Stops fetching; what came is kept for the next process.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(underWay.Values.Select(work => work.Value)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stopping.Dispose();
    }

    private static string HexOf(string version)
    {
        _ = RequestRules.VersionDigest(version);
        return version[Digest.VersionPrefix.Length..];
    }

    private static Manifest? ReadManifest(string path, string version)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] content = File.ReadAllBytes(path);
        return Digest.Of(content).Version == version ? Manifest.Parser.ParseFrom(content) : null; // damaged: fetched again
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

    private Task EnsureFileAsync(string version, string folder, ManifestFile file, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, file.Path);
        return IsVerified(path)
            ? Task.CompletedTask
            : underWay.GetOrAdd(path, _ => new Lazy<Task>(() => Task.Run(() => ProvideAsync(version, path, file)))).Value.WaitAsync(cancellation);
    }

    private bool IsVerified(string path)
    {
        var file = new FileInfo(path);
        return file.Exists && verified.TryGetValue(path, out var known) && known == (file.Length, file.LastWriteTimeUtc);
    }

    private async Task ProvideAsync(string version, string path, ManifestFile file)
    {
        try
        {
            string content = Digest.FromBytes(file.Sha256.Span).Hex;
            using var holding = await HoldAsync(Path.Combine(root, "locks", content));
            if (!HasContent(path, file))
            {
                await FetchAsync(version, path, Path.Combine(root, "partial", content), file);
            }

            var info = new FileInfo(path);
            verified[path] = (info.Length, info.LastWriteTimeUtc);
        }
        finally
        {
            _ = underWay.TryRemove(path, out _);
        }
    }

    private bool HasContent(string path, ManifestFile file)
    {
        bool right = RegistryClient.HasContent(path, file, stopping.Token);
        if (!right && File.Exists(path))
        {
            Log.Damaged(logger, path);
        }

        return right;
    }

    private async Task FetchAsync(string version, string path, string partial, ManifestFile file)
    {
        Log.Fetching(logger, file.Path, version, file.Size);
        _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (File.Exists(path))
        {
            File.Copy(path, partial, overwrite: true); // its undamaged parts need not be fetched; whoever has it open keeps the old file
        }

        using (var destination = File.OpenHandle(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            await FromRegistryAsync(version, async () =>
            {
                await registry.DownloadAsync(file, destination, cancellationToken: stopping.Token);
                return true;
            });
        }

        File.Move(partial, path, overwrite: true);
    }

    // The file stays when it is let go: deleting it would let two processes hold two files of the same name.
    private async Task<SafeFileHandle> HoldAsync(string lockPath)
    {
        while (true)
        {
            if (ExclusiveFile.TryOpen(lockPath) is { } holding)
            {
                return holding;
            }

            await Task.Delay(LockPoll, stopping.Token);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Fetching {Path} of {Version}, {Bytes} bytes")]
        public static partial void Fetching(ILogger logger, string path, string version, long bytes);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} is damaged; its damaged parts are discarded and fetched again")]
        public static partial void Damaged(ILogger logger, string path);
    }
}
