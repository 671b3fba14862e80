namespace Fleet.Client.Registry;

/// <summary>Adds up the bytes of a stage from many threads and reports every megabyte or so.</summary>
internal sealed class TransferCounter(TransferStage stage, long total, IProgress<TransferProgress>? progress)
{
    private const long Step = 1024 * 1024;

    private long done;

    public void Add(long bytes)
    {
        long now = Interlocked.Add(ref done, bytes);
        if (now / Step != (now - bytes) / Step || now == total)
        {
            progress?.Report(new TransferProgress(stage, now, total));
        }
    }
}
