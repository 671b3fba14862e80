using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// Exponential integrators: samplers that step in λ, half the logarithm of the signal-to-noise ratio, on latents of unit variance.
/// </summary>
internal abstract class LogSnrSampler : Sampler
{
    private protected LogSnrSampler(SchedulerConfig config, StepPlan plan)
        : base(config, NoiseSchedule.Create(config, finiteTerminalSigma: true))
    {
        if (config.UseDynamicShifting)
        {
            throw config.Refusal("use_dynamic_shifting", "set a fixed flow_shift.");
        }

        if (config.SolverOrder is < 1 or > 3)
        {
            throw config.Refusal("solver_order", "use 1, 2 or 3.");
        }

        if (config.VarianceType is "learned" or "learned_range")
        {
            throw config.Refusal("variance_type", "networks that predict a variance are not supported.");
        }

        Steps = plan.Steps;
    }

    public override Tensor ScaleModelInput(Tensor x, int call) => x.alias();

    public override Tensor AddNoise(Tensor x0, Tensor noise, int call) => AddNoise(x0, noise, Sigmas[call]);

    // These classes of diffusers hold their noise levels rising and their timesteps falling until they have steps, and look one up
    // in the other: timestep t gets the noise of the mirrored one.
    public override Tensor AddTrainingNoise(Tensor x0, Tensor noise, double timestep) =>
        AddNoise(x0, noise, Noise.Sigmas[Config.TrainTimesteps - 1 - (int)timestep]);

    private protected NoiseLevel Level(int call) => NoiseLevel.Of(Sigmas[call], Config.UseFlowSigmas);

    // Calls that the history reaches back to, this one included.
    private protected int Available(SamplerState state, int call) => Math.Min(call - state.StartCall + 1, Config.SolverOrder);

    // Whole timesteps and their noise levels, without the final one.
    private protected (double[] Timesteps, float[] Sigmas) Spread(StepPlan plan, Func<double[]> spacing)
    {
        var shape = Config.SigmaShape;
        if (plan.Timesteps is not null && (shape != SigmaShape.Trained || Config.UseLuLambdas || Config.UseFlowSigmas))
        {
            throw new SchedulerException($"{Config.ClassName} chooses the timesteps of its sigmas itself; give a number of steps.");
        }

        if (shape != SigmaShape.Trained)
        {
            return FromShape(shape, plan.Steps);
        }

        if (Config.UseLuLambdas)
        {
            return InWholeTimesteps(LuSigmas(plan.Steps), RoundsTimesteps);
        }

        if (Config.UseFlowSigmas)
        {
            return InFlowTimesteps(FlowSigmas(plan));
        }

        double[] timesteps = plan.Timesteps?.Select(t => Math.Floor(t)).ToArray() ?? spacing();
        return (timesteps, [.. timesteps.Select(t => (float)Grid.Interpolate(t, Noise.Sigmas))]);
    }

    // shift σ / (1 + (shift - 1) σ): Esser et al. 2024 (arXiv:2403.03206), equation 23.
    private protected virtual double[] FlowSigmas(StepPlan plan) =>
    [
        .. Grid.Linspace(1, 1.0 / Config.TrainTimesteps, plan.Steps + 1).Reverse().Take(plan.Steps).Select(alpha => Shift(1 - alpha)),
    ];

    private protected double Shift(double sigma) => Config.FlowShift * sigma / (1 + (Config.FlowShift - 1) * sigma);

    // Lu et al. 2022 (arXiv:2206.00927), appendix D: cosine schedules diverge at their end; λ is clipped there.
    private protected int LastTimestep()
    {
        int clipped = 0;
        while (clipped < Noise.AlphasCumprod.Count && Lambda(Noise.AlphasCumprod[^(clipped + 1)]) < Config.LambdaMinClipped)
        {
            clipped++;
        }

        return clipped < Noise.AlphasCumprod.Count
            ? Config.TrainTimesteps - clipped
            : throw Config.Refusal("lambda_min_clipped", "no timestep is left; usually it is -5.1.");

        static float Lambda(float alpha) => MathF.Log(MathF.Sqrt(alpha)) - MathF.Log(MathF.Sqrt(1 - alpha));
    }

    private protected float FinalSigma(Func<float> lowest) => Config.FinalSigmasType switch
    {
        "zero" => 0,
        "sigma_min" => lowest(),
        _ => throw Config.Refusal("final_sigmas_type", "use zero or sigma_min."),
    };

    // x_0 as the network's output implies it.
    private protected Tensor PredictX0(Tensor x, Tensor output, int call)
    {
        var level = Level(call);
        var x0 = Config.Prediction switch
        {
            Prediction.Epsilon => (x - level.Sigma * output) / level.Alpha,
            Prediction.Sample => output,
            Prediction.Velocity => level.Alpha * x - level.Sigma * output,
            _ => x - Sigmas[call] * output,
        };
        return Config.Thresholding ? ThresholdDynamically(x0, Config.DynamicThresholdingRatio, Config.SampleMaxValue) : x0;
    }

    // ε as the network's output implies it.
    private protected Tensor PredictEpsilon(Tensor x, Tensor output, int call)
    {
        var level = Level(call);
        return Config.Thresholding ? (x - level.Alpha * PredictX0(x, output, call)) / level.Sigma : Config.Prediction switch
        {
            Prediction.Epsilon => output,
            Prediction.Sample => (x - level.Alpha * output) / level.Sigma,
            _ => level.Alpha * output + level.Sigma * x,
        };
    }

    // Karras and Lu levels fall between training timesteps; most classes round to one, the rest is cut off.
    private protected virtual bool RoundsTimesteps => true;

    // Whether Karras levels can be had for a flow model.
    private protected virtual bool SpreadsFlow => false;

    private (double[] Timesteps, float[] Sigmas) FromShape(SigmaShape shape, int steps)
    {
        double[] sigmas = SigmaSpacing.Spread(shape, Config.SigmaMax ?? Noise.Sigmas[^1], Config.SigmaMin ?? Noise.Sigmas[0], steps);
        if (!Config.UseFlowSigmas)
        {
            return InWholeTimesteps(sigmas, shape == SigmaShape.Karras && RoundsTimesteps);
        }

        return SpreadsFlow && shape == SigmaShape.Karras
            ? InFlowTimesteps([.. sigmas.Select(sigma => sigma / (sigma + 1))])
            : throw Config.Refusal("use_flow_sigmas", $"{shape} sigmas are not for flow models; set one of the two.");
    }

    // Lu et al. 2022 (arXiv:2206.00927), section 3.4: even steps in λ.
    private double[] LuSigmas(int steps)
    {
        double highest = Noise.LogSigmas[^1];
        return [.. Grid.Linspace(0, 1, steps).Select(ramp => Math.Exp(highest + ramp * (Noise.LogSigmas[0] - highest)))];
    }

    private (double[] Timesteps, float[] Sigmas) InWholeTimesteps(double[] sigmas, bool round)
    {
        double[] timesteps = [.. sigmas.Select(sigma => SigmaSpacing.ToTimestep(sigma, Noise.LogSigmas))];
        return ([.. timesteps.Select(t => round ? Math.Round(t) : Math.Truncate(t))], [.. sigmas.Select(sigma => (float)sigma)]);
    }

    private (double[] Timesteps, float[] Sigmas) InFlowTimesteps(double[] sigmas) =>
        ([.. sigmas.Select(sigma => Math.Truncate(sigma * Config.TrainTimesteps))], [.. sigmas.Select(sigma => (float)sigma)]);

    private Tensor AddNoise(Tensor x0, Tensor noise, float sigma)
    {
        using var scope = NewDisposeScope();
        var level = NoiseLevel.Of(sigma, Config.UseFlowSigmas);
        return scope.MoveToOuter(level.Alpha * x0 + level.Sigma * noise);
    }
}
