using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// Heun's method: Karras et al. 2022 (arXiv:2206.00364), Algorithm 1. Two calls per step, the second at the step's end; the last
/// step, to no noise, is Euler's and takes one.
/// </summary>
internal sealed class HeunSampler : SigmaSampler
{
    public HeunSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan, timesteps: true);
        var (timesteps, sigmas) = Spread(plan);
        Timesteps = [.. timesteps.SelectMany((t, i) => Enumerable.Repeat((double)(float)t, i == 0 ? 1 : 2))];
        Sigmas = [.. sigmas.Select(sigma => (float)sigma), 0];
        Steps = plan.Steps;
        InitNoiseSigma = InitialSigma();
    }

    public override int CallsPerStep => 2;

    private protected override float InputSigma(int call) => Sigmas[(call + 1) / 2];

    private protected override float TrainingSigma(double timestep) => SigmaInFullPlan(timestep);

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        float sigma = Sigmas[call / 2];
        float next = Sigmas[call / 2 + 1];
        bool first = call % 2 == 0;
        var denoised = Denoise(state.Latents, output, InputSigma(call));
        if (Config.ClipSample)
        {
            denoised = denoised.clamp(-Config.ClipSampleRange, Config.ClipSampleRange);
        }

        var slope = (state.Latents - denoised) / (first ? sigma : next);
        return first
            ? new(state.Latents + slope * (next - sigma), denoised, [slope], state.Latents)
            : new(state.Anchor! + (state.History[0] + slope) / 2 * (next - sigma), denoised);
    }
}
