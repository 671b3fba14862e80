using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// DEIS, multistep in log ρ with ρ = σ/α, of order 1 to 3: Zhang and Chen 2023 (arXiv:2204.13902), section 3.3. The predictions of ε
/// are interpolated over log ρ and integrated exactly.
/// </summary>
internal sealed class DeisSampler : LogSnrSampler
{
    private const int FewSteps = 15;

    public DeisSampler(SchedulerConfig config, StepPlan plan)
        : base(config, plan)
    {
        RefuseCustom(plan);
        if (config.AlgorithmType is not ("deis" or "dpmsolver" or "dpmsolver++"))
        {
            throw config.Refusal("algorithm_type", "use deis.");
        }

        if (config.SolverType is not ("logrho" or "midpoint" or "heun" or "bh1" or "bh2"))
        {
            throw config.Refusal("solver_type", "use logrho.");
        }

        bool trained = config.SigmaShape == SigmaShape.Trained && !config.UseFlowSigmas;
        var (timesteps, sigmas) = Spread(plan, () => TimestepSpacing.ForSolvers(config, config.TrainTimesteps, plan.Steps));
        Timesteps = timesteps;
        Sigmas = [.. sigmas, trained ? Noise.Sigmas[0] : sigmas[^1]];
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        var x0 = PredictX0(state.Latents, output, call);
        var level = Level(call);
        var epsilon = (state.Latents - level.Alpha * x0) / level.Sigma;
        var history = Push(state.History, epsilon, Config.SolverOrder);
        return new(Extrapolate(state.Latents, history, call, OrderAt(state, call)), x0, history, null);
    }

    private int OrderAt(SamplerState state, int call)
    {
        bool careful = Config.LowerOrderFinal && Timesteps.Count < FewSteps;
        return Math.Min(Available(state, call), careful ? Timesteps.Count - call : Config.SolverOrder);
    }

    // x / α moves by the integral of ε over ρ.
    private Tensor Extrapolate(Tensor x, Tensor[] e, int call, int order)
    {
        var to = Level(call + 1);
        if (order == 1)
        {
            var weights = DpmSolver.Weights("dpmsolver", Level(call), to);
            return weights.X * x + weights.D0 * e[^1];
        }

        float[] rho = [.. Enumerable.Range(0, order).Select(back => Rho(Level(call - back)))];
        float end = Rho(to);
        var sum = x / Level(call).Alpha;
        for (int i = 0; i < order; i++)
        {
            float[] others = [.. rho.Where((_, k) => k != i)];
            float weight = order == 2
                ? Integral(end, rho[i], others[0]) - Integral(rho[0], rho[i], others[0])
                : Integral(end, rho[i], others[0], others[1]) - Integral(rho[0], rho[i], others[0], others[1]);
            sum += weight * e[^(i + 1)];
        }

        return to.Alpha * sum;
    }

    private static float Rho(NoiseLevel level) => level.Sigma / level.Alpha;

    // ∫ (log t - log c) / (log b - log c) dt
    private static float Integral(float t, float b, float c) =>
        t * (-MathF.Log(c) + MathF.Log(t) - 1) / (MathF.Log(b) - MathF.Log(c));

    // ∫ (log t - log c) (log t - log d) / ((log b - log c) (log b - log d)) dt
    private static float Integral(float t, float b, float c, float d)
    {
        float logT = MathF.Log(t);
        float logC = MathF.Log(c);
        float logD = MathF.Log(d);
        float numerator = t * (logC * (logD - logT + 1) - logD * logT + logD + logT * logT - 2 * logT + 2);
        return numerator / ((MathF.Log(b) - logC) * (MathF.Log(b) - logD));
    }
}
