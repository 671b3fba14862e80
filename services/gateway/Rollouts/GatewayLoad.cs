namespace Fleet.Gateway.Rollouts;

/// <summary>How many callers' jobs are running.</summary>
internal sealed class GatewayLoad
{
    private int running;

    public int Running => Volatile.Read(ref running);

    /// <summary>Counts a job until it is disposed.</summary>
    public IDisposable Enter()
    {
        Interlocked.Increment(ref running);
        return new Place(this);
    }

    private sealed class Place(GatewayLoad load) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref load.running);
    }
}
