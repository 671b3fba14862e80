using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Jobs;
using Fleet.Gateway.Planning;
using Fleet.Gateway.Requests;
using Fleet.Gateway.Stages;
using Fleet.Hosting;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Rollouts;

/// <summary>Chooses the version of a job, once: what the rollout of its model says, or what its reference means.</summary>
internal sealed class VersionChooser(
    TrafficWatcher traffic, VersionResolver versions, IOptions<GatewayOptions> options, TimeProvider time, ILogger<VersionChooser> logger)
{
    /// <exception cref="InvalidRequestException">No model is named, and there is no default.</exception>
    /// <exception cref="PreconditionException">The canary is wanted of a model that is not being rolled out.</exception>
    /// <exception cref="Grpc.Core.RpcException">The registry does not know the version, or cannot be asked.</exception>
    public async Task<VersionChoice> ChooseAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        string reference = Reference(job.Parameters);
        if (traffic.Table.Find(reference) is { } rollout)
        {
            return Choose(job, rollout);
        }

        var calls = new StageCalls(job.RequestId, () => job.Deadline, options.Value.StageAttempts, options.Value, time, logger);
        var version = await calls.RunAsync("registry", _ => versions.ResolveAsync(reference, cancellationToken), cancellationToken);
        return job.Parameters.VersionPin is not "canary"
            ? new VersionChoice(version)
            : throw new PreconditionException(
                $"version_pin is 'canary' and '{reference}' has none: only a model that is being rolled out does, named alone or with its alias 'stable'.");
    }

    private static VersionChoice Choose(GenerationJob job, ModelTraffic rollout)
    {
        var (parameters, requestId) = (job.Parameters, job.RequestId);
        bool canary = parameters.VersionPin switch
        {
            "canary" => true,
            "stable" => false,
            _ => Assignment.IsCanary(rollout, parameters.StickyKey is "" ? requestId : parameters.StickyKey),
        };
        return new VersionChoice(
            canary ? rollout.Canary : rollout.Stable,
            rollout,
            canary ? Arm.Canary : Arm.Stable,
            Pinned: parameters.VersionPin is not "",
            Shadowed: Assignment.IsShadowed(rollout, requestId));
    }

    private string Reference(GenerationParameters parameters) =>
        parameters.Model is not "" ? parameters.Model
        : options.Value.DefaultModel is not "" ? options.Value.DefaultModel
        : throw new InvalidRequestException("model", "", "name one, because this gateway has no default model");
}
