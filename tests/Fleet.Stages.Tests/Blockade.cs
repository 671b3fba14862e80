using Fleet.Serving;

namespace Fleet.Stages.Tests;

/// <summary>Keeps a device busy until it is disposed.</summary>
internal sealed class Blockade : IDisposable
{
    private readonly DeviceQueue queue;
    private readonly ManualResetEventSlim open = new();

    /// <summary>Waits until the device is at it, so that nothing waits before what comes next.</summary>
    public Blockade(DeviceQueue queue)
    {
        this.queue = queue;
        using var busy = new ManualResetEventSlim();
        _ = queue.RunAsync(
            () =>
            {
                busy.Set();
                open.Wait();
                return 0;
            },
            CancellationToken.None);
        busy.Wait(TestContext.Current.CancellationToken);
    }

    /// <summary>Puts one more piece of work behind it.</summary>
    public Task Fill() => queue.RunAsync(() => 0, CancellationToken.None);

    public void Dispose() => open.Set();
}
