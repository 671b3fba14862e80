namespace Fleet.Gateway.Tests.Peers;

// Holds the denoiser at one moment of its first attempt until the test opens the gate or the call is cancelled.
internal sealed class Gate
{
    private readonly TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Gate(DenoiserPeer denoiser, Moment moment, int number)
    {
        denoiser.At = async happening =>
        {
            if (happening.Attempt == 1 && happening.Moment == moment && happening.Number == number)
            {
                using var registration = happening.Context.CancellationToken.Register(() => cancelled.TrySetResult());
                reached.TrySetResult();
                await Task.WhenAny(opened.Task, cancelled.Task);
            }
        };
    }

    public Task Reached => reached.Task.WaitAsync(TestFleet.Patience);

    public Task Cancelled => cancelled.Task.WaitAsync(TestFleet.Patience);

    public void Open() => opened.TrySetResult();
}
