using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts;

internal sealed class TrafficService(RunningRollouts running, TrafficReports reports, WatchLoop watching) : V1.Traffic.TrafficBase
{
    // The contract says 10 s; who watches for that long and hears nothing may take the registry for gone.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    public override async Task WatchTraffic(
        WatchTrafficRequest request, IServerStreamWriter<WatchTrafficResponse> responses, ServerCallContext context)
    {
        _ = ReportRules.Name("gateway", request.Gateway);
        await running.RefreshAsync(context.CancellationToken); // this replica may not have looked yet
        await watching.RunAsync(
            () => running.Changed.Next,
            Interval,
            async cancellation =>
            {
                await responses.WriteAsync(running.Traffic, cancellation);
                return true;
            },
            context.CancellationToken);
    }

    public override async Task WatchWarmups(
        WatchWarmupsRequest request, IServerStreamWriter<WatchWarmupsResponse> responses, ServerCallContext context)
    {
        string stage = ReportRules.Stage(request.Stage);
        string replica = ReportRules.Name("replica", request.Replica);
        await running.RefreshAsync(context.CancellationToken);
        await watching.RunAsync(
            () => running.Changed.Next,
            Interval,
            async cancellation =>
            {
                await reports.SeenAsync(stage, replica, cancellation);
                await responses.WriteAsync(running.Warmups, cancellation);
                return true;
            },
            context.CancellationToken);
    }

    public override async Task<ReportOutcomesResponse> ReportOutcomes(ReportOutcomesRequest request, ServerCallContext context)
    {
        ReportRules.Check(request);
        await reports.AddAsync(request, context.CancellationToken);
        return new ReportOutcomesResponse();
    }

    public override async Task<ReportReadinessResponse> ReportReadiness(ReportReadinessRequest request, ServerCallContext context)
    {
        ReportRules.Check(request);
        await reports.AddAsync(request, context.CancellationToken);
        return new ReportReadinessResponse();
    }
}
