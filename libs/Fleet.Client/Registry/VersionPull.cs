using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Registry;

/// <summary>Rebuilds files of a version in a folder, one after the other.</summary>
internal sealed class VersionPull(FileDownloader downloader, string folder)
{
    public static bool HasContent(string path, ManifestFile file, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        using var handle = File.OpenHandle(path);
        return RandomAccess.GetLength(handle) == file.Size
            && PartHashing.Hash(handle, 0, file.Size, null, cancellationToken).ToByteString() == file.Sha256;
    }

    public async Task RunAsync(IReadOnlyList<ManifestFile> files, IProgress<TransferProgress>? progress, CancellationToken cancellationToken)
    {
        var counter = new TransferCounter(TransferStage.Downloading, files.Sum(file => file.Size), progress);
        foreach (var file in files)
        {
            string path = Path.Combine(folder, file.Path);
            if (HasContent(path, file, cancellationToken))
            {
                counter.Add(file.Size);
                continue;
            }

            _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            string partial = path + ".partial";
            using (var destination = File.OpenHandle(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
            {
                await downloader.DownloadAsync(file, destination, counter, cancellationToken);
            }

            File.Move(partial, path, overwrite: true);
        }
    }
}
