using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Gateway.Planning;
using Grpc.Core;
using InitImage = Fleet.Contracts.Denoiser.V1.InitImage;

namespace Fleet.Gateway.Stages;

/// <summary>The denoiser's part of a job, and through it the decoder's: sends the tensors, relays what comes back.</summary>
internal sealed class Denoising(
    Denoiser.DenoiserClient denoiser,
    RunOrder order,
    GenerationPlan plan,
    IReadOnlyList<TensorChunk> tensors,
    StageCalls calls,
    TimeSpan decoding)
{
    private readonly List<TensorChunk> firstLatents = [];
    private bool announced;

    public ImageRelay Images { get; } = new(order.Publish, plan.Parameters.Count, order.HoldsImages, order.KeepsFirst);

    /// <summary>The final latents of the first picture, when they are kept.</summary>
    public IReadOnlyList<TensorChunk> FirstLatents => firstLatents;

    /// <summary>The denoiser took the job, at any attempt.</summary>
    public bool Joined => announced;

    /// <summary>What all steps take at the pace of the last one; zero before the first.</summary>
    public TimeSpan Pace { get; private set; }

    /// <summary>The scheduler that runs, as the denoiser names it.</summary>
    public string Scheduler { get; private set; } = "";

    /// <summary>Runs the job from its seed. A further attempt makes the same pictures, and callers get only what they lack.</summary>
    public async Task<DenoiseDone> AttemptAsync(CallOptions options)
    {
        var cancellationToken = options.CancellationToken;
        var eta = new EtaEstimator(decoding);
        Images.BeginAttempt();
        firstLatents.Clear();

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
                case DenoiseResponse.EventOneofCase.Latents when response.Latents.ImageIndex == 0:
                    firstLatents.Add(response.Latents.Tensor);
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
        if (order.Yields && accepted.QueuePosition > 0)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{accepted.QueuePosition} jobs wait before this one, which yields to them."));
        }

        Scheduler = accepted.Scheduler;
        calls.Accepted = true;
        if (announced)
        {
            return;
        }

        announced = true;
        order.Publish(new GenerateResponse
        {
            Accepted = new Accepted
            {
                RequestId = order.RequestId,
                Version = plan.Version,
                Model = plan.Recipe.Model,
                QueuePosition = accepted.QueuePosition,
                Steps = accepted.Steps,
                Seed = plan.Recipe.Seed,
                CanaryOf = plan.CanaryOf,
            },
        });
    }

    private void Report(DenoiseProgress progress, EtaEstimator eta)
    {
        Pace = TimeSpan.FromMicroseconds(progress.StepUs) * progress.Steps;
        order.Publish(new GenerateResponse
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
    }

    private void Relay(DecodeResponse decoded)
    {
        switch (decoded.EventCase)
        {
            case DecodeResponse.EventOneofCase.Accepted:
                VersionPin.Check(decoded.Accepted.Version, plan);
                break;
            case DecodeResponse.EventOneofCase.Preview:
                order.Publish(new GenerateResponse { Preview = decoded.Preview });
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
            RequestId = order.RequestId,
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
            ReturnLatents = order.KeepsFirst,
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
