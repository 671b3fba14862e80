using Grpc.Core;

namespace Fleet.Client.Registry;

/// <summary>Decides whether a broken transfer is tried again, and after how long.</summary>
internal sealed class Retries(CancellationToken cancellationToken)
{
    private const int MaxFailures = 6; // over some six seconds
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);

    private int failures;

    /// <summary>Whether to try again: the registry went away or stopped, or another client holds the blob's upload.</summary>
    public bool Allows(RpcException exception) =>
        !cancellationToken.IsCancellationRequested
        && exception.StatusCode is StatusCode.Unavailable or StatusCode.Aborted or StatusCode.Internal or StatusCode.Cancelled
        && ++failures < MaxFailures;

    /// <summary>To be called when something got through.</summary>
    public void Reset() => failures = 0;

    public Task WaitAsync() => Task.Delay(FirstWait * Math.Pow(2, failures - 1), cancellationToken);
}
