namespace Fleet.Cli.Models;

/// <summary>A folder that a command is to fill.</summary>
internal static class ModelFolder
{
    /// <summary>The full path of a folder that is empty or does not exist.</summary>
    public static string MustBeFree(string folder, string remedy)
    {
        string path = Path.GetFullPath(folder);
        return Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any()
            ? throw new CommandException(ExitCode.BadInput, $"--output names '{path}', which is not empty", remedy)
            : path;
    }
}
