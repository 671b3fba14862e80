using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Gateway.Jobs;
using Fleet.Gateway.Planning;
using Grpc.Core;
using InitImage = Fleet.Contracts.Denoiser.V1.InitImage;

namespace Fleet.Gateway.Stages;

/// <summary>The denoiser's part of a job, and through it the decoder's: sends the tensors, relays what comes back.</summary>
internal sealed class Denoising(
    Denoiser.DenoiserClient denoiser,
    GenerationJob job,
    GenerationPlan plan,
    IReadOnlyList<TensorChunk> tensors,
    StageCalls calls,
    TimeSpan decoding)
{
    public ImageRelay Images { get; } = new(job.Events, plan.Parameters.Count);

    /// <summary>The scheduler that runs, as the denoiser names it.</summary>
    public string Scheduler { get; private set; } = "";

    /// <summary>Runs the job from its seed. A further attempt makes the same pictures, and callers get only what they lack.</summary>
    public async Task<DenoiseDone> AttemptAsync(CallOptions options)
    {
        var cancellationToken = options.CancellationToken;
        var eta = new EtaEstimator(decoding);
        Images.BeginAttempt();

        using var call = denoiser.Denoise(options);
        var sending = StageStream.SendAllAsync(call.RequestStream, Messages(), cancellationToken);
        DenoiseDone? done = null;
        await foreach (var response in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            switch (response.EventCase)
            {
                case DenoiseResponse.EventOneofCase.Accepted:
                    Accept(response.Accepted);
                    break;
                case DenoiseResponse.EventOneofCase.Progress:
                    Report(response.Progress, eta);
                    break;
                case DenoiseResponse.EventOneofCase.Decoded:
                    Relay(response.Decoded);
                    break;
                case DenoiseResponse.EventOneofCase.Done:
                    done = response.Done;
                    break;
            }
        }

        await sending;
        return done is not null && Images.Complete ? done : throw StageStream.EndedEarly();
    }

    private void Accept(DenoiseAccepted accepted)
    {
        VersionPin.Check(accepted.Version, plan);
        Scheduler = accepted.Scheduler;
        if (calls.Accepted)
        {
            return;
        }

        calls.Accepted = true;
        job.Events.Publish(new GenerateResponse
        {
            Accepted = new Accepted
            {
                RequestId = job.RequestId,
                Version = plan.Version,
                Model = plan.Recipe.Model,
                QueuePosition = accepted.QueuePosition,
                Steps = accepted.Steps,
                Seed = plan.Recipe.Seed,
            },
        });
    }

    private void Report(DenoiseProgress progress, EtaEstimator eta) => job.Events.Publish(new GenerateResponse
    {
        Progress = new Progress
        {
            Step = progress.Step,
            Steps = progress.Steps,
            EtaMs = (long)Math.Ceiling(eta.After(progress).TotalMilliseconds),
            StepUs = progress.StepUs,
            QueuePosition = progress.QueuePosition,
        },
    });

    private void Relay(DecodeResponse decoded)
    {
        switch (decoded.EventCase)
        {
            case DecodeResponse.EventOneofCase.Accepted:
                VersionPin.Check(decoded.Accepted.Version, plan);
                break;
            case DecodeResponse.EventOneofCase.Preview:
                job.Events.Publish(new GenerateResponse { Preview = decoded.Preview });
                break;
            case DecodeResponse.EventOneofCase.Image:
                Images.Add(decoded.Image);
                break;
        }
    }

    private IEnumerable<DenoiseRequest> Messages() =>
        tensors.Select(chunk => new DenoiseRequest { Tensor = chunk }).Prepend(new DenoiseRequest { Start = Start() });

    private DenoiseStart Start()
    {
        var recipe = plan.Recipe;
        var start = new DenoiseStart
        {
            RequestId = job.RequestId,
            Version = plan.Version,
            LatentHeight = recipe.Height / plan.PixelsPerLatent,
            LatentWidth = recipe.Width / plan.PixelsPerLatent,
            Count = plan.Parameters.Count,
            Seed = recipe.Seed,
            Steps = recipe.Steps,
            GuidanceScale = recipe.GuidanceScale,
            GuidanceRescale = recipe.GuidanceRescale,
            Scheduler = new SchedulerChoice
            {
                Name = recipe.Scheduler,
                Sigmas = recipe.Sigmas,
                TimestepSpacing = recipe.TimestepSpacing,
            },
            PreviewInterval = plan.Parameters.PreviewInterval,
            Output = plan.Output,
        };

        if (recipe.HasEta)
        {
            start.Scheduler.Eta = recipe.Eta;
        }

        if (recipe.HasStrength)
        {
            start.Init = new InitImage { Strength = recipe.Strength };
            start.Inpaint = recipe.MaskSha256 is not "";
        }

        return start;
    }
}
