using Fleet.Hosting.Files;
using Microsoft.Win32.SafeHandles;

namespace Fleet.Serving.Versions;

/// <summary>
/// Files whose only purpose is to be held open, across the processes of a machine. They are never deleted: that would let two processes hold two
/// files of the same name.
/// </summary>
internal static class HeldFile
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Holds a file that one holder at a time may have, waiting for the others.</summary>
    public static Task<SafeFileHandle> HoldAsync(string path, CancellationToken cancellation) => WaitAsync(() => ExclusiveFile.TryOpen(path), cancellation);

    /// <summary>Holds a file together with others who do, waiting for one who has it alone. The file's time of writing says when it was last held.</summary>
    public static async Task<IDisposable> ShareAsync(string path, CancellationToken cancellation) =>
        new Shared(await WaitAsync(() => TryShare(path), cancellation));

    private static async Task<SafeFileHandle> WaitAsync(Func<SafeFileHandle?> tryOpen, CancellationToken cancellation)
    {
        while (true)
        {
            if (tryOpen() is { } held)
            {
                return held;
            }

            await Task.Delay(Poll, cancellation);
        }
    }

    private static SafeFileHandle? TryShare(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        }
        catch (IOException exception) when (ExclusiveFile.IsInUse(exception))
        {
            return null;
        }
    }

    private sealed class Shared : IDisposable
    {
        private readonly SafeFileHandle file;

        public Shared(SafeFileHandle file)
        {
            this.file = file;
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        }

        public void Dispose()
        {
            if (!file.IsClosed)
            {
                File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
                file.Dispose();
            }
        }
    }
}
