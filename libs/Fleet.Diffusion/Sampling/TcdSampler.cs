using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>TCD: Zheng et al. 2024 (arXiv:2402.19159), Algorithm 4, strategic stochastic sampling; η is the paper's γ.</summary>
internal sealed class TcdSampler : AlphaSampler
{
    private readonly double eta;

    public TcdSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan, timesteps: true);
        eta = config.Step.Eta ?? 0.3;
        if (eta is not (>= 0 and <= 1))
        {
            throw new SchedulerException($"eta = {SchedulerConfig.Show(eta)}; TCD takes 0 (deterministic) to 1.");
        }

        Steps = plan.Steps;
        Timesteps = plan.Timesteps?.Select(t => Math.Floor(t)).ToArray() ?? LcmSampler.DistilledTimesteps(config, plan.Steps);
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        bool last = call == Timesteps.Count - 1;
        int next = last ? 0 : (int)Timesteps[call + 1];
        int target = (int)MathF.Floor((float)(1 - eta) * next);     // s: where the model jumps to, before noise leads back to next
        float alphaNext = Alpha(next);
        float alphaTarget = Alpha(target);

        var (x0, epsilon) = Predict(state.Latents, output, Alpha((int)Timesteps[call]));
        var x = MathF.Sqrt(alphaTarget) * x0 + MathF.Sqrt(1 - alphaTarget) * epsilon;
        if (last || eta == 0)
        {
            return new(x, x0);
        }

        float ratio = alphaNext / alphaTarget;
        return new(MathF.Sqrt(ratio) * x + MathF.Sqrt(1 - ratio) * drawNoise(), x0);
    }
}
