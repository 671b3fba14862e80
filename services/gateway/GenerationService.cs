using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Jobs;
using Fleet.Gateway.Planning;
using Fleet.Gateway.Requests;
using Fleet.Gateway.Stages;
using Fleet.Hosting;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway;

internal sealed class GenerationService(
    RequestReader reader, JobTable jobs, SchedulerCatalog schedulers, IOptions<GatewayOptions> options, TimeProvider time)
    : Generation.GenerationBase
{
    public override async Task Generate(
        IAsyncStreamReader<GenerateRequest> requests, IServerStreamWriter<GenerateResponse> responses, ServerCallContext context)
    {
        var order = await reader.ReadAsync(requests, context.RequestHeaders, context.CancellationToken);
        using var caller = jobs.Open(order, context.Deadline);
        await foreach (var response in caller.ReadAsync(context.CancellationToken))
        {
            await WriteAsync(response, responses, context.CancellationToken);
        }
    }

    public override Task<CancelGenerationResponse> CancelGeneration(CancelGenerationRequest request, ServerCallContext context) =>
        Task.FromResult(new CancelGenerationResponse { Cancelled = jobs.Cancel(RequestRules.RequestId(request.RequestId)) });

    public override async Task<ListSchedulersResponse> ListSchedulers(ListSchedulersRequest request, ServerCallContext context)
    {
        try
        {
            return new ListSchedulersResponse { Schedulers = { await schedulers.ListAsync(context.CancellationToken) } };
        }
        catch (RpcException e)
        {
            throw StageFailure.ForCallers("denoiser", e);
        }
    }

    private async Task WriteAsync(GenerateResponse response, IServerStreamWriter<GenerateResponse> responses, CancellationToken cancellationToken)
    {
        var limit = options.Value.StalledAfter;
        try
        {
            await responses.WriteAsync(response, CancellationToken.None).WaitAsync(limit, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new AbortedException($"The caller read nothing for {limit.TotalSeconds:0.###} s; repeat the request with the same id to get what is there.");
        }
    }
}
