using Fleet.Hosting;
using Fleet.Hosting.Files;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Registry.Blobs;

/// <summary>The temporary file of an upload, held open by it alone.</summary>
internal sealed class UploadFile : IDisposable
{
    private UploadFile(string path, SafeFileHandle handle)
    {
        Path = path;
        Handle = handle;
    }

    public string Path { get; }

    public SafeFileHandle Handle { get; }

    /// <summary>Null while another upload holds the file.</summary>
    public static UploadFile? TryOpen(string path) => ExclusiveFile.TryOpen(path) is { } handle ? new UploadFile(path, handle) : null;

    /// <summary>Gives the file another name. Throws <see cref="AbortedException"/> when it was collected between its opening and its locking.</summary>
    public void MoveTo(string path)
    {
        try
        {
            File.Move(Path, path, overwrite: true);
        }
        catch (FileNotFoundException)
        {
            throw new AbortedException($"the upload {System.IO.Path.GetFileName(Path)} was given up as abandoned while it was resumed; begin again");
        }
    }

    public void Delete() => File.Delete(Path);

    public void Dispose() => Handle.Dispose();
}
