using Fleet.Client.Registry;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Client.Repair;

/// <summary>What a file of a folder is, beside the version that it should be of.</summary>
public enum FileState
{
    /// <summary>Byte for byte the version's file.</summary>
    Right,

    /// <summary>The version has it and the folder has not.</summary>
    Missing,

    /// <summary>Some of its bytes are wrong, too many or too few.</summary>
    Damaged,

    /// <summary>The folder has it and the version has not.</summary>
    Extra,
}

/// <summary>A file that was checked.</summary>
/// <param name="Path">In the version.</param>
/// <param name="State">What it is.</param>
/// <param name="DamagedBytes">Bytes of the parts that are wrong or not there; 0 when only bytes at the end are too many.</param>
/// <param name="DamagedTensors">Names of the tensors whose bytes are wrong, as far as the header tells.</param>
public sealed record CheckedFile(string Path, FileState State, long DamagedBytes, IReadOnlyList<string> DamagedTensors);

/// <summary>Hashes the files of a folder again and compares them with those of a version.</summary>
public static class FolderCheck
{
    /// <summary>All files of the manifest and all others in the folder but hidden ones, in order of path.</summary>
    public static async Task<IReadOnlyList<CheckedFile>> RunAsync(
        Manifest manifest, string folder, IProgress<TransferProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"there is no folder '{folder}'");
        }

        var counter = new TransferCounter(TransferStage.Verifying, manifest.Files.Sum(file => file.Size), progress);
        var files = new CheckedFile[manifest.Files.Count];
        var options = new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount };
        await Parallel.ForAsync(0, files.Length, options, (i, token) =>
        {
            files[i] = Check(manifest.Files[i], Path.Combine(folder, manifest.Files[i].Path), counter, token);
            return ValueTask.CompletedTask;
        });
        return [.. files.Concat(Extra(manifest, folder)).OrderBy(file => file.Path, StringComparer.Ordinal)];
    }

    private static CheckedFile Check(ManifestFile file, string path, TransferCounter counter, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            return new CheckedFile(file.Path, FileState.Missing, file.Size, []);
        }

        using var handle = File.OpenHandle(path);
        long length = RandomAccess.GetLength(handle);
        if (length == file.Size && PartHashing.Hash(handle, 0, length, counter, cancellationToken).ToByteString() == file.Sha256)
        {
            return new CheckedFile(file.Path, FileState.Right, 0, []);
        }

        var wrong = WrongParts(file, handle, cancellationToken);
        return new CheckedFile(file.Path, FileState.Damaged, wrong.Sum(part => file.Parts[part].Size), Tensors(file, path, wrong));
    }

    private static List<int> WrongParts(ManifestFile file, SafeFileHandle handle, CancellationToken cancellationToken)
    {
        var wrong = new List<int>();
        long offset = 0;
        for (int i = 0; i < file.Parts.Count; i++)
        {
            var part = file.Parts[i];
            if (PartHashing.Hash(handle, offset, part.Size, null, cancellationToken).ToByteString() != part.Sha256)
            {
                wrong.Add(i);
            }

            offset += part.Size;
        }

        return wrong;
    }

    // Part 0 is the header; when it is wrong it tells nothing.
    private static IReadOnlyList<string> Tensors(ManifestFile file, string path, List<int> wrong)
    {
        if (wrong.Count == 0 || wrong[0] == 0 || !path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            return [];
        }

        using var stream = File.OpenRead(path);
        var stored = SafetensorsHeader.Read(stream, file.Size, path).Entries.Where(entry => entry.ByteLength > 0).ToList();
        return [.. wrong.Select(part => stored[part - 1].Name)];
    }

    private static IEnumerable<CheckedFile> Extra(Manifest manifest, string folder)
    {
        var known = manifest.Files.Select(file => file.Path).ToHashSet(StringComparer.Ordinal);
        return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Where(path => !known.Contains(path) && !path.Split('/').Any(part => part.StartsWith('.')))
            .Select(path => new CheckedFile(path, FileState.Extra, 0, []));
    }
}
