using Fleet.Hosting;

namespace Fleet.Gateway.Requests;

/// <summary>Bounds the bytes of files that callers make the gateway hold.</summary>
internal sealed class UploadBudget(long capacity)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private long held;

    /// <exception cref="OverloadedException">The files that are held leave no room.</exception>
    public void Take(long bytes)
    {
        if (Interlocked.Add(ref held, bytes) > capacity)
        {
            Return(bytes);
            throw new OverloadedException($"No room for files of {bytes} bytes now: at most {capacity} bytes are held at once.", RetryAfter);
        }
    }

    public void Return(long bytes) => Interlocked.Add(ref held, -bytes);
}
