using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// Euler steps below the next noise level, and fresh noise back up to it: k-diffusion's ancestral sampling, after Ho et al. 2020
/// (arXiv:2006.11239) in the terms of Karras et al. 2022.
/// </summary>
internal sealed class EulerAncestralSampler : SigmaSampler
{
    public EulerAncestralSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan);
        var (timesteps, sigmas) = Spread(plan);
        Timesteps = timesteps;
        Sigmas = [.. sigmas.Select(sigma => (float)sigma), 0];
        Steps = plan.Steps;
        InitNoiseSigma = InitialSigma();
    }

    /// <summary>The level to step down to, and the noise that leads back up: down² + up² = next².</summary>
    public static (float Down, float Up) Split(float sigma, float next)
    {
        if (next == 0)
        {
            return (0, 0);
        }

        // down = sqrt(next² - up²), without the difference of nearly equal numbers.
        float up = MathF.Sqrt(Math.Max(next * next * (sigma * sigma - next * next) / (sigma * sigma), 0));
        return (next * next / sigma, up);
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        float sigma = Sigmas[call];
        var (down, up) = Split(sigma, Sigmas[call + 1]);
        var denoised = Denoise(state.Latents, output, sigma);
        return new(EulerSampler.EulerStep(state.Latents, denoised, sigma, down) + drawNoise() * up, denoised);
    }
}
