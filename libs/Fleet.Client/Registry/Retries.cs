using Grpc.Core;

namespace Fleet.Client.Registry;

/// <summary>Decides whether a broken transfer is tried again, and after how long.</summary>
internal sealed class Retries(CancellationToken cancellationToken)
{
    private const int MaxFailures = 8; // over some twelve seconds, in which a registry can be restarted
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);

    // What a broken connection and a registry that stops look like, and ABORTED: another client holds the blob's upload. A call that the
    // registry cancelled throws OperationCanceledException, as one of ours does.
    private static readonly StatusCode[] Transient =
        [StatusCode.Unavailable, StatusCode.Internal, StatusCode.Unknown, StatusCode.Aborted];

    private int failures;

    /// <summary>Counts a failure and says whether to try again.</summary>
    public bool Allows(Exception exception) =>
        !cancellationToken.IsCancellationRequested
        && (exception is OperationCanceledException || (exception is RpcException rpc && Transient.Contains(rpc.StatusCode)))
        && ++failures < MaxFailures;

    /// <summary>To be called when something got through.</summary>
    public void Reset() => failures = 0;

    public Task WaitAsync() => Task.Delay(FirstWait * Math.Pow(2, failures - 1), cancellationToken);
}
