using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// DPM-Solver and DPM-Solver++ in their multistep form, as ODE or SDE, of order 1 to 3: Lu et al. 2022 (arXiv:2206.00927,
/// arXiv:2211.01095, Algorithm 2). One call per step; earlier predictions stand for the derivatives.
/// </summary>
internal sealed class DpmSolverMultistepSampler : LogSnrSampler
{
    private const int FewSteps = 15;
    private readonly string algorithm;
    private readonly bool midpoint;

    public DpmSolverMultistepSampler(SchedulerConfig config, StepPlan plan)
        : base(config, plan)
    {
        RefuseCustom(plan, timesteps: true);
        (algorithm, midpoint) = ReadSolver(config);
        if (algorithm == "sde-dpmsolver" && config.SolverOrder == 3)
        {
            throw config.Refusal("solver_order", "sde-dpmsolver has order 1 and 2; sde-dpmsolver++ has 3.");
        }

        var (timesteps, sigmas) = Spread(plan, () => TimestepSpacing.ForSolvers(config, LastTimestep(), plan.Steps));
        Timesteps = timesteps;
        Sigmas = [.. sigmas, FinalSigma(() => Noise.Sigmas[0])];
    }

    /// <summary>
    /// The algorithm and whether it is the midpoint form. Names of other solvers, which a model's file may carry, stand for the
    /// usual one.
    /// </summary>
    public static (string Algorithm, bool Midpoint) ReadSolver(SchedulerConfig config)
    {
        string algorithm = config.AlgorithmType switch
        {
            "deis" => "dpmsolver++",
            "dpmsolver" or "dpmsolver++" or "sde-dpmsolver" or "sde-dpmsolver++" => config.AlgorithmType,
            _ => throw config.Refusal("algorithm_type", "use dpmsolver++, dpmsolver, sde-dpmsolver++ or sde-dpmsolver."),
        };
        bool midpoint = config.SolverType switch
        {
            "heun" => false,
            "midpoint" or "logrho" or "bh1" or "bh2" => true,
            _ => throw config.Refusal("solver_type", "use midpoint or heun."),
        };

        bool onNoise = algorithm is "dpmsolver" or "sde-dpmsolver";
        if (onNoise && config.FinalSigmasType == "zero")
        {
            throw config.Refusal(
                "final_sigmas_type", $"algorithm_type {algorithm} cannot end without noise; use sigma_min, or {algorithm}++.");
        }

        return onNoise && config.Prediction == Prediction.Flow
            ? throw config.Refusal("prediction_type", $"algorithm_type {algorithm} works on noise; use {algorithm}++.")
            : (algorithm, midpoint);
    }

    private protected override bool RoundsTimesteps => Config.BetaSchedule != "squaredcos_cap_v2";

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        bool onNoise = algorithm is "dpmsolver" or "sde-dpmsolver";
        var x0 = PredictX0(state.Latents, output, call);
        var history = Push(state.History, onNoise ? PredictEpsilon(state.Latents, output, call) : x0, Config.SolverOrder);
        var noise = algorithm.StartsWith("sde", StringComparison.Ordinal) ? drawNoise() : null;

        var weights = DpmSolver.Weights(algorithm, Level(call), Level(call + 1));
        var x = OrderAt(state, call) switch
        {
            1 => weights.X * state.Latents + weights.D0 * history[^1],
            2 => SecondOrder(weights, state.Latents, history, call),
            _ => ThirdOrder(weights, state.Latents, history, call),
        };
        return new(noise is null ? x : x + weights.Noise * noise, x0, history, null);
    }

    // Low orders where little is known yet and, with few steps, at the end, where the step in λ is long.
    private int OrderAt(SamplerState state, int call)
    {
        int left = Timesteps.Count - call;
        bool careful = Config.LowerOrderFinal && Timesteps.Count < FewSteps;
        bool euler = left == 1 &&
            (careful || Config.EulerAtFinal || Config.FinalSigmasType == "zero" || Sigmas[call + 1] == Sigmas[call]);
        int available = Available(state, call);
        return euler ? 1 : left == 2 && careful ? Math.Min(available, 2) : available;
    }

    private Tensor SecondOrder(DpmSolver weights, Tensor x, Tensor[] m, int call)
    {
        float h = Level(call + 1).Lambda - Level(call).Lambda;
        float r0 = (Level(call).Lambda - Level(call - 1).Lambda) / h;
        var d1 = 1 / r0 * (m[^1] - m[^2]);
        return weights.X * x + weights.D0 * m[^1] + (midpoint ? weights.D1Midpoint : weights.D1) * d1;
    }

    private Tensor ThirdOrder(DpmSolver weights, Tensor x, Tensor[] m, int call)
    {
        float h = Level(call + 1).Lambda - Level(call).Lambda;
        float r0 = (Level(call).Lambda - Level(call - 1).Lambda) / h;
        float r1 = (Level(call - 1).Lambda - Level(call - 2).Lambda) / h;
        var newer = 1 / r0 * (m[^1] - m[^2]);
        var older = 1 / r1 * (m[^2] - m[^3]);
        var d1 = newer + r0 / (r0 + r1) * (newer - older);
        var d2 = 1 / (r0 + r1) * (newer - older);
        return weights.X * x + weights.D0 * m[^1] + weights.D1 * d1 + weights.D2 * d2;
    }
}
