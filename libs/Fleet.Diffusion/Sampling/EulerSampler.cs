using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>Euler's method, with churn: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without the second-order correction.</summary>
internal sealed class EulerSampler : SigmaSampler
{
    public EulerSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan, timesteps: true, sigmas: true);
        bool continuous = config.TimestepType switch
        {
            "continuous" => config.Prediction == Prediction.Velocity,
            "discrete" => false,
            _ => throw config.Refusal("timestep_type", "use discrete or continuous."),
        };

        var (timesteps, sigmas) = plan.Sigmas is { } given ? Given(given) : FromSteps(plan);
        Sigmas = sigmas;
        Timesteps = continuous
            ? [.. sigmas[..timesteps.Length].Select(sigma => (double)(0.25f * MathF.Log(sigma)))]
            : [.. timesteps.Select(t => (double)(float)t)];
        Steps = timesteps.Length;
        InitNoiseSigma = InitialSigma();
    }

    /// <summary>One Euler step along dx/dσ = (x - x_0) / σ.</summary>
    public static Tensor EulerStep(Tensor x, Tensor denoised, float sigma, float nextSigma) =>
        x + (x - denoised) / sigma * (nextSigma - sigma);

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        float sigma = Sigmas[call];
        var (x, raised) = Churn(state.Latents, sigma, drawNoise);
        // A velocity is read at the level that the network saw, noise at the raised one: as the reference does.
        var denoised = Denoise(x, output, Config.Prediction == Prediction.Velocity ? sigma : raised);
        return new(EulerStep(x, denoised, raised, Sigmas[call + 1]), denoised);
    }

    private (Tensor X, float Sigma) Churn(Tensor x, float sigma, Func<Tensor> drawNoise)
    {
        var step = Config.Step;
        double gamma = sigma >= step.ChurnMin && sigma <= step.ChurnMax
            ? Math.Min(step.Churn / (Sigmas.Count - 1), Math.Sqrt(2) - 1)
            : 0;
        if (gamma <= 0)
        {
            return (x, sigma);
        }

        float raised = sigma * (float)(gamma + 1);
        return (x + drawNoise() * step.ChurnNoise * MathF.Sqrt(raised * raised - sigma * sigma), raised);
    }

    // Noise levels of the caller's: the last is where the plan ends.
    private (double[] Timesteps, float[] Sigmas) Given(IReadOnlyList<double> given) =>
        given.Count > 1
            ? ([.. given.SkipLast(1).Select(sigma => SigmaSpacing.ToTimestep((float)sigma, Noise.LogSigmas))],
                [.. given.Select(sigma => (float)sigma)])
            : throw new SchedulerException("Give at least two sigmas: where the plan begins and where it ends.");

    private (double[] Timesteps, float[] Sigmas) FromSteps(StepPlan plan)
    {
        if (plan.Timesteps is not null && Config.TimestepType == "continuous" && Config.Prediction == Prediction.Velocity)
        {
            throw Config.Refusal("timestep_type", "its timesteps come from sigmas; give a number of steps.");
        }

        var (timesteps, sigmas) = Config.InterpolationType switch
        {
            "linear" => Spread(plan),
            "log_linear" => Reshape(
                plan, plan.Timesteps?.ToArray() ?? TimestepSpacing.ForSigmas(Config, plan.Steps), LogLinear(plan.Steps)),
            _ => throw Config.Refusal("interpolation_type", "use linear or log_linear."),
        };
        float last = Config.FinalSigmasType switch
        {
            "zero" => 0,
            "sigma_min" => Noise.Sigmas[0],
            _ => throw Config.Refusal("final_sigmas_type", "use zero or sigma_min."),
        };
        return (timesteps, [.. sigmas.Select(sigma => (float)sigma), last]);
    }

    // One level more than steps: the reference keeps both ends, and the plan's last step ends on the lowest trained level.
    private double[] LogLinear(int steps)
    {
        using var scope = NewDisposeScope();
        var levels = linspace(Noise.LogSigmas[^1], Noise.LogSigmas[0], steps + 1, ScalarType.Float32).exp();
        return levels.to(ScalarType.Float64).data<double>().ToArray();
    }
}
