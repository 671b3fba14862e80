using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>Linear multistep (Adams-Bashforth on uneven noise levels), as k-diffusion's sample_lms.</summary>
internal sealed class LmsSampler : SigmaSampler
{
    private readonly int order;

    public LmsSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan);
        order = config.Step.LmsOrder;
        if (order is < 1 or > 10)
        {
            throw new SchedulerException($"LMS of order {order}; use 1 to 10, usually 4.");
        }

        var (timesteps, sigmas) = Spread(plan);
        Timesteps = [.. timesteps.Select(t => (double)(float)t)];
        Sigmas = [.. sigmas.Select(sigma => (float)sigma), 0];
        Steps = plan.Steps;
        InitNoiseSigma = InitialSigma();
    }

    private protected override float TrainingSigma(double timestep) => SigmaInFullPlan(timestep);

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        float sigma = Sigmas[call];
        var denoised = Denoise(state.Latents, output, sigma);
        var slopes = Push(state.History, (state.Latents - denoised) / sigma, order);

        // The weights are those of a full history even when the job started late and has a shorter one: as the reference does.
        int weights = Math.Min(call + 1, order);
        var x = state.Latents;
        for (int back = 0; back < Math.Min(weights, slopes.Length); back++)
        {
            x += (float)Weight(call, back, weights) * slopes[^(back + 1)];
        }

        return new(x, denoised, slopes, null);
    }

    // The integral over the step of the Lagrange polynomial that is 1 at the level `back` calls ago and 0 at the others.
    private double Weight(int call, int back, int count)
    {
        double[] polynomial = [1];      // coefficients, lowest power first, in u = σ - σ_call
        double origin = Sigmas[call];
        double own = Sigmas[call - back] - origin;
        for (int k = 0; k < count; k++)
        {
            if (k == back)
            {
                continue;
            }

            double root = Sigmas[call - k] - origin;
            var product = new double[polynomial.Length + 1];
            for (int power = 0; power < polynomial.Length; power++)
            {
                product[power] -= polynomial[power] * root / (own - root);
                product[power + 1] += polynomial[power] / (own - root);
            }

            polynomial = product;
        }

        double end = Sigmas[call + 1] - origin;
        return polynomial.Select((coefficient, power) => coefficient * Math.Pow(end, power + 1) / (power + 1)).Sum();
    }
}
