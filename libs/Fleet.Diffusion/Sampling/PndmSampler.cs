using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// PNDM: Liu et al. 2022 (arXiv:2202.09778), Algorithm 2. Linear multistep over four network outputs (PLMS), started by three
/// Runge-Kutta steps of four calls, or, with <c>skip_prk_steps</c>, by repeating the second timestep.
/// </summary>
internal sealed class PndmSampler : AlphaSampler
{
    private const int Order = 4;
    private readonly int rungeKuttaCalls;
    private readonly int stride;

    public PndmSampler(SchedulerConfig config, StepPlan plan)
        : base(config)
    {
        RefuseCustom(plan);
        Steps = plan.Steps;
        stride = config.TrainTimesteps / plan.Steps;
        double[] grid = TimestepSpacing.ForAlphas(config, plan.Steps);
        if (config.SkipPrkSteps)
        {
            Timesteps = grid.Length > 1 ? [grid[0], grid[1], .. grid[1..]] : grid;
            return;
        }

        if (plan.Steps < Order)
        {
            throw config.Refusal("skip_prk_steps", $"the Runge-Kutta start needs at least {Order} steps, {plan.Steps} were asked for.");
        }

        double[] start = RungeKuttaTimesteps(grid, stride / 2);
        rungeKuttaCalls = start.Length;
        Timesteps = [.. start, .. grid[(Order - 1)..]];
    }

    private protected override Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise)
    {
        // Counted from the job's own start: a job that starts from a picture starts the method anew.
        int done = call - state.StartCall;
        return done < rungeKuttaCalls ? RungeKutta(state, call, done, output) : Multistep(state, call, done, output);
    }

    // Equation 12: four outputs k1..k4 at t, t - h/2 twice and t - h, all of them steps from the same latents. The history holds
    // the k1 of each step, then, inside a step, its k2 and k3.
    private Advanced RungeKutta(SamplerState state, int call, int done, Tensor output)
    {
        int stage = done % 4;
        int from = (int)Timesteps[done - stage];
        int to = (int)Timesteps[call] - (done % 2 == 0 ? stride / 2 : 0);
        var anchor = stage == 0 ? state.Latents : state.Anchor!;
        var history = state.History;
        var slope = stage < 3 ? output : (history[^3] + 2 * history[^2] + 2 * history[^1] + output) / 6;
        Tensor[] kept = stage < 3 ? [.. history, output] : [.. history.SkipLast(2)];
        return new(Transfer(anchor, slope, from, to), Denoise(state.Latents, output, call), kept, stage < 3 ? anchor : null);
    }

    // Equation 9 with the Adams-Bashforth weights of the outputs there are.
    private Advanced Multistep(SamplerState state, int call, int done, Tensor output)
    {
        int from = (int)Timesteps[call];
        int to = from - stride;
        var x = state.Latents;
        Tensor? anchor = state.Anchor;
        IReadOnlyList<Tensor> past = state.History;
        Tensor slope;
        if (done == 1)
        {
            // The second call repeats the first step with the mean of both outputs (Heun); its own is not kept.
            (from, to) = (from + stride, from);
            (x, anchor) = (anchor!, null);
            slope = (output + past[^1]) / 2;
        }
        else
        {
            anchor = done == 0 ? x : anchor;
            past = Push(past, output, Order);
            slope = AdamsBashforth(past);
        }

        return new(Transfer(x, slope, from, to), Denoise(state.Latents, output, call), past, anchor);
    }

    private static Tensor AdamsBashforth(IReadOnlyList<Tensor> e) => e.Count switch
    {
        1 => e[^1],
        2 => (3 * e[^1] - e[^2]) / 2,
        3 => (23 * e[^1] - 16 * e[^2] + 5 * e[^3]) / 12,
        _ => (55 * e[^1] - 59 * e[^2] + 37 * e[^3] - 9 * e[^4]) / 24,
    };

    // Equation 11: from one timestep to another along an output.
    private Tensor Transfer(Tensor x, Tensor slope, int from, int to)
    {
        float alpha = Alpha(from);
        float alphaTo = to >= 0 ? Alpha(to) : FinalAlpha;
        var epsilon = Predict(x, slope, alpha).Epsilon;
        float ofX = MathF.Sqrt(alphaTo / alpha);
        float denominator = alpha * MathF.Sqrt(1 - alphaTo) + MathF.Sqrt(alpha * (1 - alpha) * alphaTo);
        return ofX * x - (alphaTo - alpha) * epsilon / denominator;
    }

    private Tensor Denoise(Tensor x, Tensor output, int call) => Predict(x, output, Alpha((int)Timesteps[call])).X0;

    // t, t - h/2, t - h/2, t - h of each of the first three steps.
    private static double[] RungeKuttaTimesteps(double[] grid, int half) =>
        [.. Enumerable.Range(0, Order - 1).SelectMany(i => (double[])[grid[i], grid[i + 1] + half, grid[i + 1] + half, grid[i + 1]])];
}
