using Fleet.Gateway.Planning;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Stages;

/// <summary>Sets up runs through the stages.</summary>
internal sealed class StageRunner(
    GenerationPlanner planner, StageClients stages, IOptions<GatewayOptions> options, TimeProvider time, ILogger<StageRunner> logger)
{
    private readonly DecodePace decodePace = new();

    public StageRun Prepare(RunOrder order)
    {
        var calls = new StageCalls(order.RequestId, order.Deadline, order.Attempts, options.Value, time, logger) { Accepted = order.Accepted };
        return new StageRun(order, calls, stages, planner, decodePace, time);
    }
}
