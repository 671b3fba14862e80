using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>The sending half of a call to a stage.</summary>
internal static class StageStream
{
    /// <summary>Sends all messages and completes. Never throws: when the stage ends the call early, the reading half has its status.</summary>
    public static async Task SendAllAsync<T>(IClientStreamWriter<T> stream, IEnumerable<T> messages, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var message in messages)
            {
                await stream.WriteAsync(message, cancellationToken);
            }

            await stream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or OperationCanceledException or IOException)
        {
        }
    }

    /// <summary>The stage ended its stream as if all were well, but before the end that the proto promises.</summary>
    public static RpcException EndedEarly() => new(new Status(StatusCode.Unavailable, "It ended the call before it was done."));
}
