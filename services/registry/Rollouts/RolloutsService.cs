using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Catalog;
using Fleet.Registry.Rollouts.Plans;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;
using Grpc.Core;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts;

internal sealed class RolloutsService(
    RegistryDatabase database,
    RunningRollouts running,
    RolloutStart start,
    RolloutOverrides overrides,
    RolloutReport report,
    RolloutEvidence judges,
    WatchLoop watching) : V1.Rollouts.RolloutsBase
{
    private const int DefaultPageSize = 100;
    private const int DefaultSamples = 12;
    private const int MaxReason = 1000;

    // Room is left for the last pair and the message around it.
    private const int MostSampleBytes = FleetDefaults.MaxMessageBytes - (512 * 1024);

    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    public override Task<CheckPlanResponse> CheckPlan(CheckPlanRequest request, ServerCallContext context)
    {
        var (plan, faults) = PlanRules.Complete(request.Plan ?? new RolloutPlan());
        return Task.FromResult(new CheckPlanResponse { Plan = plan, Faults = { faults } });
    }

    public override async Task<StartRolloutResponse> StartRollout(StartRolloutRequest request, ServerCallContext context)
    {
        string model = CatalogRules.Model("model", request.Model);
        var canary = VersionReference.Parse(request.Canary);
        var (plan, faults) = PlanRules.Complete(request.Plan ?? new RolloutPlan());
        if (faults.Count > 0)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, string.Join(' ', faults)));
        }

        var rollout = await start.StartAsync(model, canary, plan, CallActor.ActorOf(context), context.CancellationToken);
        await running.RefreshAsync(context.CancellationToken);
        return new StartRolloutResponse { Rollout = await report.FullAsync(rollout, context.CancellationToken) };
    }

    public override async Task<GetRolloutResponse> GetRollout(GetRolloutRequest request, ServerCallContext context) =>
        new() { Rollout = await FullAsync(request.Rollout, context.CancellationToken) };

    public override async Task<ListRolloutsResponse> ListRollouts(ListRolloutsRequest request, ServerCallContext context)
    {
        string model = CatalogRules.OptionalModel("model", request.Model);
        int size = request.PageSize == 0 ? DefaultPageSize : RequestRules.Within("page_size", request.PageSize, 1, 1000);
        long before = PageToken.Parse(request.PageToken);
        var rollouts = await database.ReadAsync(
            connection => RolloutTable.ListAsync(connection, model, request.RunningOnly, before, size + 1), context.CancellationToken);
        return new ListRolloutsResponse
        {
            Rollouts = { rollouts.Take(size).Select(RolloutReport.Brief) },
            NextPageToken = PageToken.Of(rollouts.Count > size ? rollouts[size - 1].Number : 0),
        };
    }

    public override async Task WatchRollout(WatchRolloutRequest request, IServerStreamWriter<WatchRolloutResponse> responses, ServerCallContext context)
    {
        string id = (await FindAsync(request.Rollout, context.CancellationToken)).Id;
        Rollout? last = null;
        await watching.RunAsync(
            () => Task.WhenAny(running.Changed.Next, judges.Arrived.Next),
            WatchInterval,
            async cancellation =>
            {
                var rollout = await FullAsync(id, cancellation);
                if (!rollout.Equals(last))
                {
                    await responses.WriteAsync(new WatchRolloutResponse { Rollout = rollout }, cancellation);
                    last = rollout;
                }

                return RolloutRules.IsRunning(rollout.State);
            },
            context.CancellationToken);
    }

    public override async Task<ControlRolloutResponse> ControlRollout(ControlRolloutRequest request, ServerCallContext context)
    {
        if (request.Action == RolloutAction.Unspecified || !Enum.IsDefined(request.Action))
        {
            throw new InvalidRequestException("action", (int)request.Action, "give pause, resume, step, promote or roll back");
        }

        if (request.Reason.Length is 0 or > MaxReason)
        {
            throw new InvalidRequestException("reason", request.Reason, $"give 1 to {MaxReason} characters");
        }

        var actor = CallActor.ActorOf(context);
        var rollout = await FindAsync(request.Rollout, context.CancellationToken);
        actor.RequireModel(rollout.Model);
        await overrides.ApplyAsync(rollout.Id, request.Action, request.Reason, actor, context.CancellationToken);
        await running.RefreshAsync(context.CancellationToken);
        return new ControlRolloutResponse { Rollout = await FullAsync(rollout.Id, context.CancellationToken) };
    }

    public override async Task<ListSamplesResponse> ListSamples(ListSamplesRequest request, ServerCallContext context)
    {
        int size = request.PageSize == 0 ? DefaultSamples : RequestRules.Within("page_size", request.PageSize, 1, 100);
        var rollout = await FindAsync(request.Rollout, context.CancellationToken);
        var samples = await database.ReadAsync(
            connection => ObservationTable.SamplesAsync(connection, rollout.Id, request.WorstFirst, size), context.CancellationToken);
        int bytes = 0;
        return new ListSamplesResponse { Samples = { samples.TakeWhile(sample => (bytes += sample.CalculateSize()) <= MostSampleBytes) } };
    }

    private async Task<Rollout> FullAsync(string idOrModel, CancellationToken cancellation) =>
        await report.FullAsync(await FindAsync(idOrModel, cancellation), cancellation);

    private async Task<RolloutRecord> FindAsync(string idOrModel, CancellationToken cancellation) =>
        await database.ReadAsync(connection => RolloutTable.FindAsync(connection, idOrModel), cancellation)
            ?? throw new NotFoundException($"there is no rollout '{idOrModel}', and no model of this name that had one");
}
