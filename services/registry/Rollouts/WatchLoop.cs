using Fleet.Hosting;

namespace Fleet.Registry.Rollouts;

/// <summary>How streams that watch something go on.</summary>
internal sealed class WatchLoop(IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>Sends now, at each change, and at least every <paramref name="interval"/>, until <paramref name="send"/> answers false or the caller leaves.</summary>
    /// <exception cref="UnavailableException">The registry stops; streams must not hold it up.</exception>
    public async Task RunAsync(Func<Task> nextChange, TimeSpan interval, Func<CancellationToken, Task<bool>> send, CancellationToken caller)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(caller, lifetime.ApplicationStopping);
        try
        {
            while (true)
            {
                stopping.Token.ThrowIfCancellationRequested();
                var changed = nextChange();
                if (!await send(stopping.Token))
                {
                    return;
                }

                await changed.WaitAsync(interval, time, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        catch (OperationCanceledException) when (!caller.IsCancellationRequested)
        {
            throw new UnavailableException("The registry stops.");
        }
    }
}
