using System.Threading.Channels;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Planning;
using Fleet.Gateway.Stages;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Rollouts;

/// <summary>
/// Runs requests again on the other version, after their callers have their pictures: one at a time, not while the gateway has much to do,
/// and not when others wait for the denoiser. What does not fit is left out, so that callers are neither delayed nor refused.
/// </summary>
internal sealed partial class ShadowRuns(
    StageRunner runner,
    StageClients stages,
    OutcomeReporter outcomes,
    GatewayLoad load,
    IOptions<RolloutOptions> options,
    TimeProvider time,
    ILogger<ShadowRuns> logger)
    : BackgroundService
{
    private const int MaxIdLength = 128;
    private const string IdSuffix = ".shadow";

    private readonly Channel<(StageRun Answered, VersionChoice Choice)> waiting =
        Channel.CreateBounded<(StageRun, VersionChoice)>(new BoundedChannelOptions(options.Value.ShadowQueue) { SingleReader = true });

    /// <summary>Takes a run that was chosen for it, when there is room. Pictures made from a picture are left out: their files are gone by now.</summary>
    public void Offer(StageRun answered, VersionChoice choice)
    {
        if (answered.Order.KeepsFirst)
        {
            waiting.Writer.TryWrite((answered, choice));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (answered, choice) in waiting.Reader.ReadAllAsync(stoppingToken))
        {
            if (load.Running > options.Value.ShadowMaxRunningJobs)
            {
                continue;
            }

            try
            {
                await RunAsync(answered, choice, stoppingToken);
            }
            catch (Exception e)
            {
                stoppingToken.ThrowIfCancellationRequested();
                Log.Failed(logger, answered.Order.RequestId, e.Message);
            }
        }
    }

    private async Task RunAsync(StageRun answered, VersionChoice choice, CancellationToken cancellationToken)
    {
        var (arm, version) = choice.Arm == Arm.Stable ? (Arm.Canary, choice.Traffic!.Canary) : (Arm.Stable, choice.Traffic!.Stable);
        var until = time.GetUtcNow().UtcDateTime + options.Value.ShadowTimeLimit;
        var recipe = answered.Plan!.Recipe;
        var shadow = runner.Prepare(answered.Order with
        {
            RequestId = answered.Order.RequestId[..Math.Min(answered.Order.RequestId.Length, MaxIdLength - IdSuffix.Length)] + IdSuffix,
            Parameters = answered.Order.Parameters with { Width = recipe.Width, Height = recipe.Height, Seed = recipe.Seed, Count = 1, PreviewInterval = 0 },
            Version = version,
            Publish = _ => { },
            Deadline = () => until,
            Attempts = options.Value.CanaryAttempts,
            Yields = true,
            HoldsImages = false,
        });

        try
        {
            await shadow.RunAsync(cancellationToken);
        }
        catch (Exception e) when (RunFault.Of(e, shadow) is { } fault)
        {
            Report(fault);
            return;
        }

        Report(RunFault.OfPictures(shadow) is { } blank && RunFault.OfPictures(answered) is null ? blank : null);
        outcomes.Report(choice.Traffic.Rollout, await CompareAsync(answered, shadow, choice, cancellationToken));

        // A refusal is the version's: the other one took the request.
        void Report(RunFault? fault)
        {
            if (fault is not { Blame: Blame.Load })
            {
                outcomes.Report(choice.Outcome(arm, shadow, fault, shadow: true));
            }
        }
    }

    private async Task<Sample> CompareAsync(StageRun answered, StageRun shadow, VersionChoice choice, CancellationToken cancellationToken)
    {
        bool stableAnswered = choice.Arm == Arm.Stable;
        var (stable, canary) = stableAnswered ? (answered, shadow) : (shadow, answered);
        var call = new CallOptions(deadline: time.GetUtcNow().UtcDateTime + options.Value.ShadowTimeLimit, cancellationToken: cancellationToken);
        var compared = await PictureComparison.RunAsync(stages.Decoder, stable.Denoising!, canary.Denoising!, call);
        var sample = new Sample
        {
            RequestId = answered.Order.RequestId,
            Seed = answered.Plan!.Recipe.Seed,
            Width = answered.Plan.Recipe.Width,
            Height = answered.Plan.Recipe.Height,
            Steps = answered.Plan.Recipe.Steps,
            StableThumbnail = compared.FirstThumbnail,
            CanaryThumbnail = compared.SecondThumbnail,
            StableAnswered = stableAnswered,
            Distance = new PictureDistance { Identical = compared.Identical, PsnrDb = compared.PsnrDb, Ssim = compared.Ssim },
        };
        if (compared.HasLatentRmse)
        {
            sample.Distance.LatentRmse = compared.LatentRmse;
        }

        return sample;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Generation {RequestId}: no comparison with the other version came of it: {Reason}")]
        public static partial void Failed(ILogger logger, string requestId, string reason);
    }
}
