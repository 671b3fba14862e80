using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Jobs;
using Fleet.Gateway.Planning;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Stages;

/// <summary>The order of the stages: plan, encode the text, encode the picture to start from, denoise and decode.</summary>
internal sealed class GenerationRunner(
    GenerationPlanner planner, StageClients stages, IOptions<GatewayOptions> options, TimeProvider time, ILogger<GenerationRunner> logger)
{
    private readonly DecodePace decodePace = new();

    public async Task RunAsync(GenerationJob job, CancellationToken cancellationToken)
    {
        long started = time.GetTimestamp();
        var calls = new StageCalls(job, options.Value, time, logger);

        var plan = await planner.PlanAsync(job, calls, cancellationToken);

        long encoding = time.GetTimestamp();
        var text = await calls.RunAsync("encoder", call => TextEncoding.RunAsync(stages.Encoder, job.RequestId, plan, call), cancellationToken);

        long encodingImage = time.GetTimestamp();
        var image = job.Files is { } files
            ? await calls.RunAsync("decoder", call => ImageEncoding.RunAsync(stages.Decoder, job.RequestId, plan, files, call), cancellationToken)
            : [];
        job.Files?.Dispose();

        long denoising = time.GetTimestamp();
        var denoise = new Denoising(stages.Denoiser, job, plan, [.. text.Tensors, .. image], calls, decodePace.Of(plan.Pixels));
        var done = await calls.RunAsync("denoiser", denoise.AttemptAsync, cancellationToken);

        decodePace.Observe(plan.Pixels, denoise.Images.DecodeTime);
        var receipt = new Receipt
        {
            RequestId = job.RequestId,
            Recipe = plan.Recipe,
            Scheduler = denoise.Scheduler,
            Images = { denoise.Images.Records },
            PromptTokens = text.Done.PromptTokens,
            NegativePromptTokens = text.Done.NegativePromptTokens,
            Timings = new Timings
            {
                TotalUs = Microseconds(time.GetElapsedTime(started)),
                EncodeUs = Microseconds(time.GetElapsedTime(encoding, encodingImage)),
                EncodeImageUs = Microseconds(time.GetElapsedTime(encodingImage, denoising)),
                QueueUs = done.QueueUs,
                DenoiseUs = done.ComputeUs,
                DecodeUs = Microseconds(denoise.Images.DecodeTime),
            },
        };
        job.Events.Publish(new GenerateResponse { Receipt = receipt });
    }

    private static long Microseconds(TimeSpan span) => (long)span.TotalMicroseconds;
}
