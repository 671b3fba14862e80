using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// UniPC, multistep, of order 1 to 3: Zhao et al. 2023 (arXiv:2302.04867), Algorithms 5 to 8. Each call first corrects the latents
/// that led to it (UniC), then predicts the next (UniP).
/// </summary>
internal sealed class UniPcSampler : LogSnrSampler
{
    public UniPcSampler(SchedulerConfig config, StepPlan plan)
        : base(config, plan)
    {
        RefuseCustom(plan, sigmas: config.UseFlowSigmas && config.SigmaShape == SigmaShape.Trained);
        if (config.SolverType is not ("bh1" or "bh2" or "midpoint" or "heun" or "logrho"))
        {
            throw config.Refusal("solver_type", "use bh1 or bh2.");
        }

        if (config.HasSolverP)
        {
            throw config.Refusal("solver_p", "the predictor is UniP; set null.");
        }

        if (config.ShiftTerminal is not null)
        {
            throw config.Refusal("shift_terminal", "set null.");
        }

        if (!config.PredictX0 && (config.FinalSigmasType == "zero" || config.Prediction == Prediction.Flow))
        {
            throw config.Refusal("predict_x0", "solving for noise needs final_sigmas_type sigma_min and a model of noise.");
        }

        bool trained = config.SigmaShape == SigmaShape.Trained && !config.UseFlowSigmas;
        var (timesteps, sigmas) = Spread(plan, () => TimestepSpacing.ForSolvers(config, config.TrainTimesteps, plan.Steps));
        Timesteps = timesteps;
        Sigmas = [.. sigmas, FinalSigma(() => trained ? Noise.Sigmas[0] : sigmas[^1])];
    }

    private protected override bool SpreadsFlow => true;

    private protected override double[] FlowSigmas(StepPlan plan)
    {
        var given = plan.Sigmas ?? Grid.Linspace(1, 1.0 / Config.TrainTimesteps, plan.Steps + 1).SkipLast(1);
        double[] sigmas = [.. given.Select(Shift)];
        if (Math.Abs(sigmas[0] - 1) < 1e-6)
        {
            sigmas[0] -= 1e-6;      // pure noise has λ = -∞
        }

        return sigmas;
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        var x0 = PredictX0(state.Latents, output, call);
        var prediction = Config.PredictX0 ? x0 : PredictEpsilon(state.Latents, output, call);
        bool correct = call > state.StartCall && !Config.DisableCorrector.Contains(call - 1);
        var x = correct ? UniC(state, call, prediction) : state.Latents;
        var history = Push(state.History, prediction, Config.SolverOrder);
        return new(UniP(x, history, call, OrderAt(state.StartCall, call)), x0, history, x);
    }

    // Low orders where little is known yet, and at the end. The last step to no noise is long without bound in λ: order 1.
    private int OrderAt(int startCall, int call)
    {
        int left = Config.LowerOrderFinal ? Timesteps.Count - call : Sigmas[call + 1] == 0 ? 1 : Config.SolverOrder;
        return Math.Min(Math.Min(Config.SolverOrder, left), call - startCall + 1);
    }

    private Tensor UniP(Tensor x, Tensor[] history, int call, int order)
    {
        var step = Coefficients(call, order);
        var next = step.X * x + step.M * history[^1];
        if (order == 1)
        {
            return next;
        }

        float[] rho = order == 2 ? [0.5f] : Solve(step.R, step.B, order - 1);
        return next + step.B0 * Differences(history, step.Ratios, rho);
    }

    private Tensor UniC(SamplerState state, int call, Tensor prediction)
    {
        int order = OrderAt(state.StartCall, call - 1);
        var step = Coefficients(call - 1, order);
        var history = state.History;
        float[] rho = order == 1 ? [0.5f] : Solve(step.R, step.B, order);
        var correction = rho[^1] * (prediction - history[^1]);
        if (order > 1)
        {
            correction += Differences(history, step.Ratios, rho[..^1]);
        }

        return step.X * state.Anchor! + step.M * history[^1] + step.B0 * correction;
    }

    // Σ ρ_k (m_k - m_0) / r_k over the earlier predictions.
    private static Tensor Differences(IReadOnlyList<Tensor> history, float[] ratios, float[] rho)
    {
        var newest = history[^1];
        var sum = rho[0] * ((history[^2] - newest) / ratios[0]);
        for (int k = 1; k < rho.Length; k++)
        {
            sum += rho[k] * ((history[^(k + 2)] - newest) / ratios[k]);
        }

        return sum;
    }

    // The step that begins at a call: from s to t = x -> X x + M m_0 + B0 (...), and the linear system R ρ = b of Theorem 3.1. In
    // float32, in the order of the reference: h is small and the terms cancel, so other rounding gives visibly other weights.
    private StepCoefficients Coefficients(int call, int order)
    {
        var s = Level(call);
        var t = Level(call + 1);
        float h = t.Lambda - s.Lambda;
        float[] ratios = [.. Enumerable.Range(1, order - 1).Select(k => (Level(call - k).Lambda - s.Lambda) / h), 1];

        float hh = Config.PredictX0 ? -h : h;
        float phi1 = (float)(Math.Exp(hh) - 1);
        float bh = Config.SolverType == "bh1" ? hh : phi1;
        var r = new float[order][];
        var b = new float[order];
        float phi = phi1 / hh - 1;
        float factorial = 1;
        for (int i = 0; i < order; i++)
        {
            r[i] = [.. ratios.Select(ratio => MathF.Pow(ratio, i))];
            b[i] = phi * factorial / bh;
            factorial *= i + 2;
            phi = phi / hh - 1 / factorial;
        }

        return Config.PredictX0
            ? new(t.Sigma / s.Sigma, -(t.Alpha * phi1), -(t.Alpha * bh), ratios, r, b)
            : new(t.Alpha / s.Alpha, -(t.Sigma * phi1), -(t.Sigma * bh), ratios, r, b);
    }

    // Gaussian elimination with pivoting on the leading size x size part.
    private static float[] Solve(float[][] matrix, float[] right, int size)
    {
        double[][] rows = [.. Enumerable.Range(0, size).Select(i => (double[])[.. matrix[i].Take(size).Select(v => (double)v), right[i]])];
        for (int column = 0; column < size; column++)
        {
            int pivot = Enumerable.Range(column, size - column).MaxBy(row => Math.Abs(rows[row][column]));
            (rows[column], rows[pivot]) = (rows[pivot], rows[column]);
            for (int row = 0; row < size; row++)
            {
                double factor = row == column ? 0 : rows[row][column] / rows[column][column];
                for (int k = column; k <= size; k++)
                {
                    rows[row][k] -= factor * rows[column][k];
                }
            }
        }

        return [.. Enumerable.Range(0, size).Select(i => (float)(rows[i][size] / rows[i][i]))];
    }

    private readonly record struct StepCoefficients(float X, float M, float B0, float[] Ratios, float[][] R, float[] B);
}
