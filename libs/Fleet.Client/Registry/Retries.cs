using Grpc.Core;

namespace Fleet.Client.Registry;

/// <summary>
/// Decides whether a broken transfer is tried again, and after how long. A registry that was there a moment ago gets the time of a restart; one
/// that was never reached is given up soon.
/// </summary>
internal sealed class Retries(bool reached, CancellationToken cancellationToken)
{
    private const int MaxFailures = 4; // over less than a second
    private const int MaxFailuresOnceReached = 8; // over some twelve seconds
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);

    // What a broken connection and a registry that stops look like, and ABORTED: another client holds the blob's upload.
    private static readonly StatusCode[] Transient =
        [StatusCode.Unavailable, StatusCode.Internal, StatusCode.Unknown, StatusCode.Cancelled, StatusCode.Aborted];

    private bool reached = reached;
    private int failures;

    /// <summary>Counts a failure and says whether to try again.</summary>
    public bool Allows(RpcException exception) =>
        !cancellationToken.IsCancellationRequested
        && Transient.Contains(exception.StatusCode)
        && ++failures < (reached ? MaxFailuresOnceReached : MaxFailures);

    /// <summary>To be called when something got through.</summary>
    public void Reset()
    {
        reached = true;
        failures = 0;
    }

    public Task WaitAsync() => Task.Delay(FirstWait * Math.Pow(2, failures - 1), cancellationToken);
}
