using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>DDPM, ancestral sampling: Ho et al. 2020 (arXiv:2006.11239), Algorithm 2, with strides.</summary>
internal sealed class DdpmSampler : AlphaSampler
{
    public DdpmSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan, timesteps: true);
        if (config.VarianceType is not (null or "fixed_small" or "fixed_small_log" or "fixed_large"))
        {
            throw config.Refusal("variance_type", "use fixed_small, fixed_small_log or fixed_large.");
        }

        Steps = plan.Steps;
        Timesteps = plan.Timesteps?.Select(t => Math.Floor(t)).ToArray() ?? TimestepSpacing.ForAlphas(config, plan.Steps);
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        int timestep = (int)Timesteps[call];
        float alpha = Alpha(timestep);
        float alphaNext = call + 1 < Timesteps.Count ? Alpha((int)Timesteps[call + 1]) : 1;

        var x0 = Bound(Predict(state.Latents, output, alpha).X0);
        var mean = PosteriorMean(state.Latents, x0, alpha, alphaNext);
        return timestep == 0 ? new(mean, x0) : new(mean + Deviation(alpha, alphaNext) * drawNoise(), x0);
    }

    // Equation 7, the mean of q(x_next | x, x_0).
    private static Tensor PosteriorMean(Tensor x, Tensor x0, float alpha, float alphaNext)
    {
        float stepAlpha = alpha / alphaNext;
        float stepBeta = 1 - stepAlpha;
        float ofX0 = MathF.Sqrt(alphaNext) * stepBeta / (1 - alpha);
        float ofX = MathF.Sqrt(stepAlpha) * (1 - alphaNext) / (1 - alpha);
        return ofX0 * x0 + ofX * x;
    }

    // "fixed_large" is the paper's σ² = β; the others, and none, are β̃ of equation 7.
    private float Deviation(float alpha, float alphaNext)
    {
        float stepBeta = 1 - alpha / alphaNext;
        return Config.VarianceType == "fixed_large"
            ? MathF.Sqrt(stepBeta)
            : MathF.Sqrt(Math.Max((1 - alphaNext) / (1 - alpha) * stepBeta, 1e-20f));
    }
}
