using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Stages;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Rollouts;

/// <summary>
/// Answers a request with the canary, and with stable when the canary fails. The canary has a part of the time only, and its images are
/// held back until all of them are there and found good: a caller never sees a byte of a picture that stable replaces.
/// </summary>
internal sealed partial class CanaryRescue(
    StageRunner runner, OutcomeReporter outcomes, IOptions<RolloutOptions> options, TimeProvider time, ILogger<CanaryRescue> logger)
{
    /// <summary>The run that made the pictures.</summary>
    /// <param name="order">The run as it would be without a canary.</param>
    /// <param name="choice">The canary, and its rollout.</param>
    /// <param name="cancellationToken">Ends both.</param>
    /// <exception cref="Grpc.Core.RpcException">Stable failed too: its refusal.</exception>
    public async Task<StageRun> RunAsync(RunOrder order, VersionChoice choice, CancellationToken cancellationToken)
    {
        var until = CanaryDeadline(order.Deadline());
        var canary = runner.Prepare(order with { Deadline = () => until, Attempts = options.Value.CanaryAttempts, HoldsImages = true });
        if (await TryAsync(canary, cancellationToken) is not { } fault)
        {
            canary.Denoising!.Images.Release();
            outcomes.Report(choice.Outcome(Arm.Canary, canary, fault: null));
            return canary;
        }

        Log.Rescuing(logger, order.RequestId, choice.Traffic!.Rollout, fault.Fault, fault.Detail);
        bool certain = fault.Blame == Blame.Version;
        if (certain)
        {
            outcomes.Report(choice.Outcome(Arm.Canary, canary, fault, rescued: true));
        }

        var stable = await RescueAsync(order, choice, canary.Accepted, cancellationToken);
        if (!certain && fault.Blame != Blame.Load)
        {
            bool shared = fault.Blame == Blame.Picture && RunFault.OfPictures(stable) is not null;
            outcomes.Report(choice.Outcome(Arm.Canary, canary, shared ? null : fault, rescued: true));
        }

        return stable;
    }

    // Null when the pictures are there and good.
    private static async Task<RunFault?> TryAsync(StageRun canary, CancellationToken cancellationToken)
    {
        RunFault? fault = null;
        try
        {
            await canary.RunAsync(cancellationToken);
            return RunFault.OfPictures(canary);
        }
        catch (Exception e) when ((fault = RunFault.Of(e, canary)) is not null)
        {
            return fault;
        }
    }

    private async Task<StageRun> RescueAsync(RunOrder order, VersionChoice choice, bool accepted, CancellationToken cancellationToken)
    {
        var stable = runner.Prepare(order with { Version = choice.Traffic!.Stable, CanaryOf = "", Accepted = accepted, KeepsFirst = false });
        try
        {
            await stable.RunAsync(cancellationToken);
            return stable;
        }
        catch (Exception e) when (RunFault.Of(e, stable) is { CountsAgainstTheVersion: true } fault)
        {
            outcomes.Report(choice.Outcome(Arm.Stable, stable, fault));
            throw;
        }
    }

    private DateTime CanaryDeadline(DateTime deadline)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var share = (deadline - now) * options.Value.CanaryShare;
        return now + (share < options.Value.CanaryTimeLimit ? share : options.Value.CanaryTimeLimit);
    }

    private static partial class Log
    {
        [LoggerMessage(
            Level = LogLevel.Warning,
            Message = "Generation {RequestId}: the canary of rollout {Rollout} failed ({Fault}), stable answers: {Reason}")]
        public static partial void Rescuing(ILogger logger, string requestId, string rollout, Fault fault, string reason);
    }
}
