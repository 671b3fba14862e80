using System.Diagnostics;
using System.Threading.Channels;
using Fleet.Hosting;

namespace Fleet.Serving;

/// <summary>
/// A device is serial: one thread owns it and runs one piece of work after another. A full queue refuses at once, with a hint
/// of when to ask again.
/// </summary>
public sealed class DeviceQueue : IAsyncDisposable
{
    private readonly Channel<Action> work;
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool closing;
    private long workTicks = TimeSpan.FromMilliseconds(100).Ticks; // smoothed time of one piece of work; written by the device thread

    /// <summary>Starts the thread.</summary>
    /// <param name="name">Name of the thread.</param>
    /// <param name="capacity">Pieces of work that may wait.</param>
    /// <param name="prepareThread">Run on the thread before any work: thread counts belong to a thread.</param>
    public DeviceQueue(string name, int capacity, Action prepareThread)
    {
        work = Channel.CreateBounded<Action>(new BoundedChannelOptions(capacity) { SingleReader = true });
        new Thread(() => Run(prepareThread)) { Name = name, IsBackground = true }.Start();
    }

    /// <summary>Runs a piece of work on the device thread. Cancelling abandons it when it has not begun.</summary>
    /// <exception cref="OverloadedException">As many pieces of work as may are waiting.</exception>
    public async Task<T> RunAsync<T>(Func<T> compute, CancellationToken cancellation)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Compute()
        {
            if (cancellation.IsCancellationRequested)
            {
                result.TrySetCanceled(cancellation);
                return;
            }

            try
            {
                result.TrySetResult(compute());
            }
            catch (Exception e)
            {
                result.TrySetException(e);
            }
        }

        if (!work.Writer.TryWrite(Compute))
        {
            if (closing)
            {
                throw new UnavailableException("The service is shutting down.");
            }

            int waiting = work.Reader.Count;
            throw new OverloadedException(
                $"The device is busy and {waiting} pieces of work wait already.", TimeSpan.FromTicks(waiting * Interlocked.Read(ref workTicks)));
        }

        return await result.Task;
    }

    /// <summary>Takes no more work, finishes what was taken and ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        closing = true;
        work.Writer.TryComplete();
        await stopped.Task;
    }

    private void Run(Action prepareThread)
    {
        try
        {
            prepareThread();
            while (work.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (work.Reader.TryRead(out var next))
                {
                    long start = Stopwatch.GetTimestamp();
                    next();
                    long ticks = Stopwatch.GetElapsedTime(start).Ticks;
                    Interlocked.Exchange(ref workTicks, (3 * workTicks + ticks) / 4);
                }
            }
        }
        finally
        {
            stopped.TrySetResult();
        }
    }
}
