using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// DPM-Solver and DPM-Solver++ in their single-step form, of order 1 to 3: Lu et al. 2022 (arXiv:2206.00927, Algorithms 1 and 2;
/// arXiv:2211.01095, Algorithm 1). Each group of calls with orders 1, 2, 3 leads from the group's first latents.
/// </summary>
internal sealed class DpmSolverSinglestepSampler : LogSnrSampler
{
    private readonly string algorithm;
    private readonly bool midpoint;
    private readonly int[] orders;

    public DpmSolverSinglestepSampler(SchedulerConfig config, StepPlan plan)
        : base(config, plan)
    {
        RefuseCustom(plan, timesteps: true);
        (algorithm, midpoint) = DpmSolverMultistepSampler.ReadSolver(config);
        if (algorithm == "sde-dpmsolver")
        {
            throw config.Refusal("algorithm_type", "the single-step solver has sde-dpmsolver++.");
        }

        int last = LastTimestep();
        var (timesteps, sigmas) = Spread(plan, () => TimestepSpacing.ForSolvers(config, last, plan.Steps));
        Timesteps = timesteps;
        Sigmas = [.. sigmas, FinalSigma(() => Noise.Sigmas[0])];
        orders = Orders(plan.Steps);
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        var x0 = PredictX0(state.Latents, output, call);
        var m = Push(state.History, algorithm == "dpmsolver" ? PredictEpsilon(state.Latents, output, call) : x0, Config.SolverOrder);
        var noise = algorithm == "sde-dpmsolver++" ? drawNoise() : null;

        // A job that starts inside a group has fewer predictions than the order asks for.
        int order = Math.Min(orders[call], Available(state, call));
        var anchor = order == 1 ? state.Latents : state.Anchor!;
        int from = call - order + 1;
        var weights = DpmSolver.Weights(algorithm, Level(from), Level(call + 1));
        var x = weights.X * anchor + weights.D0 * m[^order];
        if (order > 1)
        {
            x += order == 2 ? SecondOrderTerm(weights, m, call) : ThirdOrderTerms(weights, m, call);
        }

        return new(noise is null ? x : x + weights.Noise * noise, x0, m, anchor);
    }

    private Tensor SecondOrderTerm(DpmSolver weights, Tensor[] m, int call)
    {
        float r0 = Ratio(call - 1, call, call + 1);
        return (midpoint ? weights.D1Midpoint : weights.D1) * (1 / r0 * (m[^1] - m[^2]));
    }

    private Tensor ThirdOrderTerms(DpmSolver weights, Tensor[] m, int call)
    {
        int from = call - 2;
        float r0 = Ratio(from, call, call + 1);
        float r1 = Ratio(from, call - 1, call + 1);
        var near = 1 / r1 * (m[^2] - m[^3]);
        var far = 1 / r0 * (m[^1] - m[^3]);
        return midpoint
            ? weights.D1 * far
            : weights.D1 * ((r0 * near - r1 * far) / (r0 - r1)) + weights.D2 * (2 * (far - near) / (r0 - r1));
    }

    // How far a call is from the group's start, of the whole way in λ.
    private float Ratio(int from, int at, int to) =>
        (Level(at).Lambda - Level(from).Lambda) / (Level(to).Lambda - Level(from).Lambda);

    // Groups of 1, 2, 3; what is left over, and a last step to no noise, has low orders.
    private int[] Orders(int steps)
    {
        int order = Config.SolverOrder;
        bool lowerFinal = Config.LowerOrderFinal || steps % order != 0 || Config.FinalSigmasType == "zero";
        var group = Enumerable.Range(1, order);
        int whole = lowerFinal && steps % order == 0 ? steps / order - 1 : steps / order;
        int[] rest = (order, steps - whole * order) switch
        {
            (3, 3) => [1, 2, 1],
            (2, 2) => [1, 1],
            (_, var left) => [.. Enumerable.Range(1, left)],
        };
        int[] orders = [.. Enumerable.Repeat(group, whole).SelectMany(orders => orders), .. rest];
        if (Config.FinalSigmasType == "zero")
        {
            orders[^1] = 1;
        }

        return orders;
    }
}
