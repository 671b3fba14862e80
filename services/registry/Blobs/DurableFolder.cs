using System.Runtime.InteropServices;

namespace Fleet.Registry.Blobs;

/// <summary>Makes the names in a folder survive a loss of power: on Unix a rename is durable only after its folder was flushed.</summary>
internal static class DurableFolder
{
    private const int ReadOnly = 0;

    /// <summary>Creates the folder and the missing ones above it, durably.</summary>
    public static void Create(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }

        string parent = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Create(parent);
        _ = Directory.CreateDirectory(path);
        Flush(parent);
    }

    /// <summary>Flushes the names in a folder. Windows journals them itself.</summary>
    public static void Flush(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        int descriptor = Open(path, ReadOnly);
        try
        {
            if (descriptor < 0 || Flush(descriptor) != 0)
            {
                throw new IOException($"cannot flush the folder '{path}': {Marshal.GetLastPInvokeErrorMessage()}");
            }
        }
        finally
        {
            _ = descriptor < 0 ? 0 : Close(descriptor);
        }
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    private static extern int Open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static extern int Flush(int descriptor);

    [DllImport("libc", EntryPoint = "close")]
    private static extern int Close(int descriptor);
}
