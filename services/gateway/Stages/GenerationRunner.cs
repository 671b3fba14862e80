using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Jobs;
using Fleet.Gateway.Rollouts;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Stages;

/// <summary>A job from the choice of its version to its receipt.</summary>
internal sealed class GenerationRunner(
    VersionChooser versions,
    StageRunner runner,
    CanaryRescue rescue,
    OutcomeReporter outcomes,
    ShadowRuns shadows,
    GatewayLoad load,
    IOptions<GatewayOptions> options,
    TimeProvider time)
{
    public async Task RunAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        StageRun run;
        VersionChoice choice;
        using (load.Enter())
        {
            (run, choice) = await AnswerAsync(job, cancellationToken);
        }

        shadows.Offer(run, choice);
    }

    private async Task<(StageRun Run, VersionChoice Choice)> AnswerAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        var choice = await versions.ChooseAsync(job, cancellationToken);
        var order = new RunOrder
        {
            RequestId = job.RequestId,
            Parameters = job.Parameters,
            Version = choice.Version,
            CanaryOf = choice.CanaryOf,
            Files = job.Files,
            Publish = job.Events.Publish,
            Deadline = () => job.Deadline,
            Attempts = options.Value.StageAttempts,
            KeepsFirst = choice.Shadowed && job.Files is null,
        };

        var run = choice.MayBeRescued
            ? await rescue.RunAsync(order, choice, cancellationToken)
            : await RunAsync(order, choice, cancellationToken);

        job.Events.Publish(new GenerateResponse { Receipt = run.ToReceipt(time.GetElapsedTime(started)) });
        return (run, choice);
    }

    private async Task<StageRun> RunAsync(RunOrder order, VersionChoice choice, CancellationToken cancellationToken)
    {
        var run = runner.Prepare(order);
        try
        {
            await run.RunAsync(cancellationToken);
        }
        catch (Exception e) when (RunFault.Of(e, run) is { CountsAgainstTheVersion: true } fault)
        {
            outcomes.Report(choice.Outcome(choice.Arm, run, fault));
            throw;
        }

        outcomes.Report(choice.Outcome(choice.Arm, run, RunFault.OfPictures(run)));
        return run;
    }
}
