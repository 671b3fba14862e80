using Fleet.Contracts.Registry;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Blobs;

/// <summary>Unfinished uploads, as files named by digest. Whatever holds the blobs, uploads are received and verified here.</summary>
internal sealed class UploadFolder
{
    private const string RivalSuffix = ".rival";

    private readonly string folder;

    public UploadFolder(IOptions<RegistryOptions> options)
    {
        folder = Path.Combine(Path.GetFullPath(options.Value.DataPath), "uploads");
        DurableFolder.Create(folder);
        foreach (string rival in Directory.EnumerateFiles(folder, "*" + RivalSuffix))
        {
            using var file = UploadFile.TryOpen(rival);
            file?.Delete();
        }
    }

    public long HeldBytes(Digest digest)
    {
        var file = new FileInfo(PathOf(digest));
        return file.Exists ? file.Length : 0;
    }

    /// <summary>The upload of a blob, to be begun or resumed; null while another client holds it.</summary>
    public UploadFile? TryOpen(Digest digest) => UploadFile.TryOpen(PathOf(digest));

    /// <summary>A file for a second upload of the same blob at the same time.</summary>
    public UploadFile OpenRival(Digest digest) => UploadFile.TryOpen(Path.Combine(folder, $"{digest}.{Guid.NewGuid():N}{RivalSuffix}"))!;

    /// <summary>Uploads that nobody holds and nobody has written to since then: removed, or only counted.</summary>
    public (long Uploads, long Bytes) Collect(DateTimeOffset untouchedSince, bool dryRun)
    {
        long uploads = 0;
        long bytes = 0;
        foreach (var found in new DirectoryInfo(folder).EnumerateFiles().Where(found => found.LastWriteTimeUtc <= untouchedSince.UtcDateTime))
        {
            using var file = UploadFile.TryOpen(found.FullName);
            if (file is null || File.GetLastWriteTimeUtc(found.FullName) > untouchedSince.UtcDateTime)
            {
                continue;
            }

            uploads++;
            bytes += RandomAccess.GetLength(file.Handle);
            if (!dryRun)
            {
                file.Delete();
            }
        }

        return (uploads, bytes);
    }

    /// <summary>Throws when the folder cannot be written to.</summary>
    public void CheckWritable()
    {
        string probe = Path.Combine(folder, $"probe.{Guid.NewGuid():N}");
        using var file = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
        file.WriteByte(0);
    }

    private string PathOf(Digest digest) => Path.Combine(folder, digest.Hex);
}
