namespace Fleet.Registry.Rollouts;

/// <summary>Wakes all who wait. Take <see cref="Next"/> before looking at what may have changed; then no change is missed.</summary>
internal sealed class ChangeSignal
{
    private TaskCompletionSource next = New();

    /// <summary>Over at the next change.</summary>
    public Task Next => Volatile.Read(ref next).Task;

    public void Pulse() => Interlocked.Exchange(ref next, New()).TrySetResult();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
