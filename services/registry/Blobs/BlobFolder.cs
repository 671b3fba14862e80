using System.Runtime.CompilerServices;
using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Fleet.Hosting.Files;

namespace Fleet.Registry.Blobs;

/// <summary>Blobs as files, named by digest, in 256 folders.</summary>
internal sealed class BlobFolder : IBlobStorage
{
    private readonly string blobs;
    private readonly string damaged;

    public BlobFolder(string root)
    {
        blobs = Path.Combine(root, "blobs");
        damaged = Path.Combine(root, "damaged");
        DurableFolder.Create(blobs);
        DurableFolder.Create(damaged);
    }

    public ValueTask<long?> SizeOfAsync(Digest digest, CancellationToken cancellationToken)
    {
        var file = new FileInfo(PathOf(digest));
        return ValueTask.FromResult<long?>(file.Exists ? file.Length : null);
    }

    // The bytes first, then the name, then the folder that holds the name: after a loss of power there is a whole blob or none.
    public Task StoreAsync(Digest digest, UploadFile file, CancellationToken cancellationToken)
    {
        string path = PathOf(digest);
        string folder = Path.GetDirectoryName(path)!;
        DurableFolder.Create(folder);
        RandomAccess.FlushToDisk(file.Handle);
        file.MoveTo(path);
        DurableFolder.Flush(folder);
        return Task.CompletedTask;
    }

    public async Task<Stream> OpenReadAsync(Digest digest, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(PathOf(digest), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            }
            catch (IOException exception) when (ExclusiveFile.IsInUse(exception) && attempt < 1000)
            {
                await Task.Delay(1, cancellationToken); // its uploader gave it its name and closes it in a moment
            }
            catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
            {
                throw new NotFoundException($"the registry has no blob {digest}");
            }
        }
    }

    public Task SetAsideAsync(Digest digest, CancellationToken cancellationToken)
    {
        File.Move(PathOf(digest), Path.Combine(damaged, digest.Hex), overwrite: true);
        return Task.CompletedTask;
    }

    public Task DeleteAsync(Digest digest, CancellationToken cancellationToken)
    {
        File.Delete(PathOf(digest));
        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<StoredBlob> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        foreach (var file in new DirectoryInfo(blobs).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Digest.TryParseHex(file.Name, out var digest) && LengthOf(file) is { } size)
            {
                yield return new StoredBlob(digest, size);
            }
        }
    }

    public Task CheckAsync(CancellationToken cancellationToken) => Directory.Exists(blobs)
        ? Task.CompletedTask
        : throw new DirectoryNotFoundException($"the folder '{blobs}' is missing");

    private static long? LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return null; // freed or set aside since its folder was read
        }
    }

    private string PathOf(Digest digest) => Path.Combine(blobs, digest.Hex[..2], digest.Hex);
}
