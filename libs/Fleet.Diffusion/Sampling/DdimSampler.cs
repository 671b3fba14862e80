using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>DDIM: Song et al. 2021 (arXiv:2010.02502), equations 12 and 16.</summary>
internal sealed class DdimSampler : AlphaSampler
{
    private readonly double eta;

    public DdimSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan);
        eta = config.Step.Eta ?? 0;
        Steps = plan.Steps;
        Timesteps = TimestepSpacing.ForAlphas(config, plan.Steps);
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        int timestep = (int)Timesteps[call];
        int next = timestep - Config.TrainTimesteps / Steps;
        float alpha = Alpha(timestep);
        float alphaNext = next >= 0 ? Alpha(next) : FinalAlpha;

        var (x0, epsilon) = Predict(state.Latents, output, alpha);
        x0 = Bound(x0);
        if (Config.Step.UseClippedModelOutput)
        {
            epsilon = (state.Latents - MathF.Sqrt(alpha) * x0) / MathF.Sqrt(1 - alpha);
        }

        float variance = (1 - alphaNext) / (1 - alpha) * (1 - alpha / alphaNext);
        float deviation = (float)eta * MathF.Sqrt(variance);
        var x = Move(x0, epsilon, alphaNext, deviation);
        return eta > 0 ? new(x + deviation * drawNoise(), x0) : new(x, x0);
    }

    // Equation 12 without its random part.
    private static Tensor Move(Tensor x0, Tensor epsilon, float alphaNext, float deviation) =>
        MathF.Sqrt(alphaNext) * x0 + MathF.Sqrt(1 - alphaNext - deviation * deviation) * epsilon;
}
