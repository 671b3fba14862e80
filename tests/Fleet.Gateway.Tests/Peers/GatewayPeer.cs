using Fleet.Contracts.Generation.V1;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Peers;

// A gateway that answers each call as a test says; for what the client library does with a gateway that misbehaves.
internal sealed class GatewayPeer : Generation.GenerationBase
{
    public List<(GenerateStart Start, DateTime At)> Calls { get; } = [];

    public Func<int, IServerStreamWriter<GenerateResponse>, ServerCallContext, Task> Answer { get; set; } = (_, _, _) => Task.CompletedTask;

    public override async Task Generate(
        IAsyncStreamReader<GenerateRequest> requests, IServerStreamWriter<GenerateResponse> responses, ServerCallContext context)
    {
        await requests.MoveNext();
        Calls.Add((requests.Current.Start, DateTime.UtcNow));
        await Answer(Calls.Count, responses, context);
    }
}
