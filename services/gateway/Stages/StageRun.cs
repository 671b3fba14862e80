using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Gateway.Planning;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>
/// One run through the stages, in their order: plan, encode the text, encode the picture to start from, denoise and decode. What is known
/// so far can be read at any time, also after a failure.
/// </summary>
internal sealed class StageRun(RunOrder order, StageCalls calls, StageClients stages, GenerationPlanner planner, DecodePace decodePace, TimeProvider time)
{
    public RunOrder Order => order;

    public GenerationPlan? Plan { get; private set; }

    public TextEncoding? Text { get; private set; }

    public Denoising? Denoising { get; private set; }

    public DenoiseDone? Done { get; private set; }

    /// <summary>Whether the caller was told that the job is accepted.</summary>
    public bool Accepted => calls.Accepted;

    private TimeSpan EncodeTime { get; set; }

    private TimeSpan EncodeImageTime { get; set; }

    /// <exception cref="RpcException">A stage refused, or failed too often; worded for callers.</exception>
    /// <exception cref="Hosting.InvalidRequestException">The version cannot make what was asked.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var plan = Plan = await planner.PlanAsync(order.Parameters, order.Version, calls, cancellationToken) with { CanaryOf = order.CanaryOf };

        long encoding = time.GetTimestamp();
        var text = Text = await calls.RunAsync("encoder", call => TextEncoding.RunAsync(stages.Encoder, order.RequestId, plan, call), cancellationToken);
        EncodeTime = time.GetElapsedTime(encoding);

        long encodingImage = time.GetTimestamp();
        IReadOnlyList<TensorChunk> image = order.Files is { } files
            ? await calls.RunAsync("decoder", call => ImageEncoding.RunAsync(stages.Decoder, order.RequestId, plan, files, call), cancellationToken)
            : [];
        EncodeImageTime = time.GetElapsedTime(encodingImage);
        if (!order.HoldsImages)
        {
            order.Files?.Dispose(); // no other version will want to encode them
        }

        Denoising = new Denoising(stages.Denoiser, order, plan, [.. text.Tensors, .. image], calls, decodePace.Of(plan.Pixels));
        Done = await calls.RunAsync("denoiser", Denoising.AttemptAsync, cancellationToken);
        decodePace.Observe(plan.Pixels, Denoising.Images.DecodeTime);
    }

    /// <summary>How the pictures were made. Only after a run that came to its end.</summary>
    /// <param name="total">Time since the gateway took the job.</param>
    public Receipt ToReceipt(TimeSpan total) => new()
    {
        RequestId = order.RequestId,
        Recipe = Plan!.Recipe,
        Scheduler = Denoising!.Scheduler,
        Images = { Denoising.Images.Records },
        PromptTokens = Text!.Done.PromptTokens,
        NegativePromptTokens = Text.Done.NegativePromptTokens,
        Timings = new Timings
        {
            TotalUs = Microseconds(total),
            EncodeUs = Microseconds(EncodeTime),
            EncodeImageUs = Microseconds(EncodeImageTime),
            QueueUs = Done!.QueueUs,
            DenoiseUs = Done.ComputeUs,
            DecodeUs = Microseconds(Denoising.Images.DecodeTime),
        },
    };

    private static long Microseconds(TimeSpan span) => (long)span.TotalMicroseconds;
}
