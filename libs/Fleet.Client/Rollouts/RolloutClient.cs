using System.Runtime.CompilerServices;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Grpc.Net.Client;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Client.Rollouts;

/// <summary>A client of the registry's rollouts. Failed calls throw <see cref="RpcException"/>.</summary>
public sealed class RolloutClient : IDisposable
{
    private readonly GrpcChannel channel;
    private readonly V1.Rollouts.RolloutsClient rollouts;

    /// <summary>A client of the registry at an address, for example "http://127.0.0.1:5100", that names itself by a token if it has one.</summary>
    public RolloutClient(string address, string token = "")
    {
        channel = RegistryChannel.Open(address);
        rollouts = new V1.Rollouts.RolloutsClient(RegistryChannel.WithToken(channel, token));
    }

    /// <summary>The plan with its defaults filled in, and what is wrong with it.</summary>
    public async Task<(RolloutPlan Plan, IReadOnlyList<string> Faults)> CheckPlanAsync(RolloutPlan plan, CancellationToken cancellationToken = default)
    {
        var response = await rollouts.CheckPlanAsync(new CheckPlanRequest { Plan = plan }, cancellationToken: cancellationToken);
        return (response.Plan, response.Faults);
    }

    /// <summary>Starts a rollout of a model to the version that a reference names.</summary>
    public async Task<Rollout> StartAsync(string model, string canary, RolloutPlan plan, CancellationToken cancellationToken = default)
    {
        var request = new StartRolloutRequest { Model = model, Canary = canary, Plan = plan };
        return (await rollouts.StartRolloutAsync(request, cancellationToken: cancellationToken)).Rollout;
    }

    /// <summary>A rollout by its id, or the newest one of a model.</summary>
    public async Task<Rollout> GetAsync(string idOrModel, CancellationToken cancellationToken = default) =>
        (await rollouts.GetRolloutAsync(new GetRolloutRequest { Rollout = idOrModel }, cancellationToken: cancellationToken)).Rollout;

    /// <summary>Rollouts of a model, or of all models, newest first, without their replicas, tests and verdicts.</summary>
    public async IAsyncEnumerable<Rollout> ListAsync(
        string model = "", bool runningOnly = false, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var request = new ListRolloutsRequest { Model = model, RunningOnly = runningOnly };
        do
        {
            var page = await rollouts.ListRolloutsAsync(request, cancellationToken: cancellationToken);
            foreach (var rollout in page.Rollouts)
            {
                yield return rollout;
            }

            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken != "");
    }

    /// <summary>The rollout now, and again each time it changes, until it has ended. A registry that restarts is waited for.</summary>
    public async IAsyncEnumerable<Rollout> WatchAsync(string idOrModel, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var retries = new Retries(reached: true, cancellationToken);
        Rollout? last = null;
        while (last is null || last.EndedAt is null)
        {
            using var call = rollouts.WatchRollout(new WatchRolloutRequest { Rollout = last?.Id ?? idOrModel }, cancellationToken: cancellationToken);
            while (await NextAsync(call, retries) is { } rollout)
            {
                retries.Reset();
                last = rollout;
                yield return rollout;
            }
        }
    }

    /// <summary>Pauses, resumes, steps on, promotes or rolls back by hand.</summary>
    public async Task<Rollout> ControlAsync(string idOrModel, RolloutAction action, string reason, CancellationToken cancellationToken = default)
    {
        var request = new ControlRolloutRequest { Rollout = idOrModel, Action = action, Reason = reason };
        return (await rollouts.ControlRolloutAsync(request, cancellationToken: cancellationToken)).Rollout;
    }

    /// <summary>Pairs of pictures that both versions made, newest or most distant first; 1 to 100, fewer when they would be too much for a message.</summary>
    public async Task<IReadOnlyList<Sample>> ListSamplesAsync(
        string idOrModel, bool worstFirst, int count, CancellationToken cancellationToken = default)
    {
        var request = new ListSamplesRequest { Rollout = idOrModel, WorstFirst = worstFirst, PageSize = count };
        return (await rollouts.ListSamplesAsync(request, cancellationToken: cancellationToken)).Samples;
    }

    /// <inheritdoc/>
    public void Dispose() => channel.Dispose();

    // Null: the stream is over, or broke off and is to be opened again.
    private static async Task<Rollout?> NextAsync(AsyncServerStreamingCall<WatchRolloutResponse> call, Retries retries)
    {
        try
        {
            return await call.ResponseStream.MoveNext() ? call.ResponseStream.Current.Rollout : null;
        }
        catch (RpcException exception) when (retries.Allows(exception))
        {
            await retries.WaitAsync();
            return null;
        }
    }
}
