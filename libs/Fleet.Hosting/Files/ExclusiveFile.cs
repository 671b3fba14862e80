using Microsoft.Win32.SafeHandles;

namespace Fleet.Hosting.Files;

/// <summary>Files that one holder at a time may open, across the processes of one machine.</summary>
public static class ExclusiveFile
{
    // On Windows a file can be renamed while it is open only if deleting is shared; on Unix None alone is an exclusive lock.
    private static readonly FileShare Exclusive = OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <summary>Opens the file for reading and writing, creating it when it is missing; null while another holder has it open.</summary>
    public static SafeFileHandle? TryOpen(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, Exclusive);
        }
        catch (IOException exception) when (IsInUse(exception))
        {
            return null;
        }
    }

    /// <summary>Whether opening failed because another holder has the file: EAGAIN of Linux and macOS, ERROR_SHARING_VIOLATION of Windows.</summary>
    public static bool IsInUse(IOException exception) => exception.HResult is 11 or 35 or unchecked((int)0x80070020);
}
