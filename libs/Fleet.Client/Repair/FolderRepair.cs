using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Repair;

/// <summary>Makes the files of a folder those of a version again.</summary>
public static class FolderRepair
{
    /// <summary>
    /// Fetches the parts that a check found to be wrong, and no others. A file is replaced when its new content is complete and verified. Files that
    /// the version has not stay. Gives the files that were repaired.
    /// </summary>
    public static async Task<IReadOnlyList<CheckedFile>> RunAsync(
        RegistryClient registry,
        Manifest manifest,
        string folder,
        IReadOnlyList<CheckedFile> check,
        IProgress<TransferProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var broken = check.Where(file => file.State is FileState.Missing or FileState.Damaged).ToList();
        var files = manifest.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
        foreach (var file in broken)
        {
            string path = Path.Combine(folder, file.Path);
            string partial = path + ".partial";
            _ = Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (file.State == FileState.Damaged)
            {
                File.Copy(path, partial, overwrite: true); // what is right in it is not fetched
            }

            using (var handle = File.OpenHandle(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
            {
                await registry.DownloadAsync(files[file.Path], handle, progress, cancellationToken);
            }

            File.Move(partial, path, overwrite: true);
        }

        return broken;
    }
}
