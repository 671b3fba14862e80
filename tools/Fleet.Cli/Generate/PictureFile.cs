namespace Fleet.Cli.Generate;

/// <summary>Writes whole files: whoever looks sees the old file or the new one, never a part.</summary>
internal static class PictureFile
{
    /// <summary>Answers the path written: another one than asked for when that exists and is to be kept.</summary>
    public static async Task<string> WriteAsync(
        string path, ReadOnlyMemory<byte> content, bool replaceExisting, CancellationToken cancellation)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string temporary = Path.Combine(folder, $".{Guid.NewGuid():n}.tmp");
        try
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(temporary, content, cancellation);
            return MoveIntoPlace(temporary, path, replaceExisting);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.InputOutput, $"{path} cannot be written: {exception.Message}", inner: exception);
        }
        finally
        {
            if (Directory.Exists(folder))
            {
                File.Delete(temporary);
            }
        }
    }

    private static string MoveIntoPlace(string temporary, string path, bool replaceExisting)
    {
        string free = path;
        for (int number = 2; ; number++)
        {
            try
            {
                File.Move(temporary, free, replaceExisting);
                return free;
            }
            catch (IOException) when (!replaceExisting && File.Exists(free))
            {
                free = $"{Path.ChangeExtension(path, null)}-{number}{Path.GetExtension(path)}";
            }
        }
    }
}
