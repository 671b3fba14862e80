using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>LCM: Luo et al. 2023 (arXiv:2310.04378), Algorithm 3: predict x_0, put noise back, predict again.</summary>
internal sealed class LcmSampler : AlphaSampler
{
    private const float SigmaData = 0.5f;

    public LcmSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan, timesteps: true);
        Steps = plan.Steps;
        Timesteps = plan.Timesteps?.Select(t => Math.Floor(t)).ToArray() ?? DistilledTimesteps(config, plan.Steps);
    }

    /// <summary>Steps of the schedule that a model was distilled on, evenly picked: all that it has seen.</summary>
    public static double[] DistilledTimesteps(SchedulerConfig config, int steps)
    {
        int original = config.OriginalInferenceSteps;
        if (original < 1 || original > config.TrainTimesteps)
        {
            throw config.Refusal("original_inference_steps", $"it is 1 to {config.TrainTimesteps}.");
        }

        if (steps > original)
        {
            throw config.Refusal("original_inference_steps", $"{steps} steps were asked for; use at most {original}.");
        }

        int stride = config.TrainTimesteps / original;
        double spread = (double)original / steps;
        return [.. Enumerable.Range(0, steps).Select(i => (double)((original - (int)Math.Floor(i * spread)) * stride - 1))];
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        int timestep = (int)Timesteps[call];
        var x0 = Bound(Predict(state.Latents, output, Alpha(timestep)).X0);
        var denoised = Boundary(state.Latents, x0, (float)(timestep * Config.TimestepScaling));
        if (call == Timesteps.Count - 1)
        {
            return new(denoised, denoised);
        }

        float alphaNext = Alpha((int)Timesteps[call + 1]);
        return new(MathF.Sqrt(alphaNext) * denoised + MathF.Sqrt(1 - alphaNext) * drawNoise(), denoised);
    }

    // Equation 9: the consistency function f = c_skip x + c_out x_0, the identity at t = 0.
    private static Tensor Boundary(Tensor x, Tensor x0, float scaledTimestep)
    {
        float norm = scaledTimestep * scaledTimestep + SigmaData * SigmaData;
        return scaledTimestep / MathF.Sqrt(norm) * x0 + SigmaData * SigmaData / norm * x;
    }
}
