using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// DPM-Solver-2: Lu et al. 2022 (arXiv:2206.00927), Algorithm 1, as k-diffusion's sample_dpm_2 and sample_dpm_2_ancestral. Two calls
/// per step, the second at the geometric mean of the step's ends; the last step, to no noise, is Euler's and takes one.
/// </summary>
internal sealed class Dpm2Sampler : SigmaSampler
{
    private readonly bool ancestral;
    private readonly float[] middle;

    public Dpm2Sampler(SchedulerConfig config, StepPlan plan, bool ancestral)
        : base(config)
    {
        RefuseCustom(plan);
        this.ancestral = ancestral;
        var (timesteps, sigmas) = Spread(plan);
        if (config.SigmaShape == SigmaShape.Karras)
        {
            timesteps = [.. timesteps.Select(t => Math.Round(t))];
        }

        Sigmas = [.. sigmas.Select(sigma => (float)sigma), 0];
        middle = [.. Enumerable.Range(0, plan.Steps).Select(step => MathF.Sqrt(Sigmas[step]) * MathF.Sqrt(Target(step).Down))];
        double[] between = [.. middle.Select(sigma => SigmaSpacing.ToTimestep(sigma, Noise.LogSigmas))];
        if (config.SigmaShape == SigmaShape.Trained)
        {
            between = [.. between.Select(t => (double)(float)t)];
        }

        Timesteps = [timesteps[0], .. timesteps.Skip(1).SelectMany((t, step) => (double[])[between[step], t])];
        Steps = plan.Steps;
        InitNoiseSigma = InitialSigma();
    }

    public override int CallsPerStep => 2;

    private protected override float InputSigma(int call) => call % 2 == 0 ? Sigmas[call / 2] : middle[call / 2];

    private protected override float TrainingSigma(double timestep) => SigmaInFullPlan(timestep);

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        int step = call / 2;
        float sigma = Sigmas[step];
        var denoised = Denoise(state.Latents, output, InputSigma(call));
        if (call % 2 == 0)
        {
            return new(EulerSampler.EulerStep(state.Latents, denoised, sigma, middle[step]), denoised, [], state.Latents);
        }

        var (down, up) = Target(step);
        var x = state.Anchor! + (state.Latents - denoised) / middle[step] * (down - sigma);
        return ancestral ? new(x + drawNoise() * up, denoised) : new(x, denoised);
    }

    private (float Down, float Up) Target(int step) =>
        ancestral ? EulerAncestralSampler.Split(Sigmas[step], Sigmas[step + 1]) : (Sigmas[step + 1], 0);
}
