using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// Samplers that step from one noise level σ to another, on latents x = x_0 + σ ε: Karras et al. 2022 (arXiv:2206.00364). The
/// network was trained on unit variance, so it gets x / sqrt(σ² + 1).
/// </summary>
internal abstract class SigmaSampler : Sampler
{
    private protected SigmaSampler(SchedulerConfig config)
        : base(config, NoiseSchedule.Create(config, finiteTerminalSigma: true))
    {
        RefuseFlow();
    }

    public override Tensor ScaleModelInput(Tensor x, int call)
    {
        float sigma = InputSigma(call);
        return x / MathF.Sqrt(sigma * sigma + 1);
    }

    public override Tensor AddNoise(Tensor x0, Tensor noise, int call) => AddNoise(x0, noise, LevelAt(call));

    public override Tensor AddTrainingNoise(Tensor x0, Tensor noise, double timestep) =>
        AddNoise(x0, noise, TrainingSigma(timestep));

    // The noise level of what the network sees at a call.
    private protected virtual float InputSigma(int call) => Sigmas[call / CallsPerStep];

    private protected virtual float TrainingSigma(double timestep) => Noise.Sigmas[(int)timestep];

    // diffusers gives these classes a plan of all training timesteps when they are made; where sigmas are spread otherwise than
    // trained, a timestep may then stand for another noise level, or for none.
    private protected float SigmaInFullPlan(double timestep)
    {
        var full = (SigmaSampler)Create(Config, Config.TrainTimesteps);
        int[] calls = [.. Enumerable.Range(0, full.Timesteps.Count).Where(call => full.Timesteps[call] == timestep).Take(2)];
        return calls.Length > 0
            ? full.LevelAt(calls[^1])
            : throw new ArgumentOutOfRangeException(
                nameof(timestep), timestep, $"{Config.ClassName} with {Config.SigmaShape} sigmas has no noise level there.");
    }

    // The noise level that diffusers gives for a call: inside a step of two calls, that of the step's end.
    private float LevelAt(int call) => Sigmas[(call + CallsPerStep - 1) / CallsPerStep];

    private protected double InitialSigma()
    {
        float max = Sigmas.Max();
        return Config.Spacing is "linspace" or "trailing" ? max : MathF.Sqrt(max * max + 1);
    }

    // The timesteps of a plan and the noise level of each; then those of the shape that the configuration asks for.
    private protected (double[] Timesteps, double[] Sigmas) Spread(StepPlan plan)
    {
        double[] timesteps = plan.Timesteps?.Select(t => (double)(float)t).ToArray() ?? TimestepSpacing.ForSigmas(Config, plan.Steps);
        return Reshape(plan, timesteps, [.. timesteps.Select(t => Grid.Interpolate(t, Noise.Sigmas))]);
    }

    private protected (double[] Timesteps, double[] Sigmas) Reshape(StepPlan plan, double[] timesteps, double[] sigmas)
    {
        var shape = Config.SigmaShape;
        if (shape == SigmaShape.Trained)
        {
            return (timesteps, sigmas);
        }

        if (plan.Timesteps is not null)
        {
            throw new SchedulerException($"{shape} sigmas choose the timesteps themselves; give a number of steps.");
        }

        double[] spread = SigmaSpacing.Spread(shape, Config.SigmaMax ?? sigmas[0], Config.SigmaMin ?? sigmas[^1], plan.Steps);
        return ([.. spread.Select(sigma => SigmaSpacing.ToTimestep(sigma, Noise.LogSigmas))], spread);
    }

    // x_0 as the network's output implies it, at the noise level of its input.
    private protected Tensor Denoise(Tensor x, Tensor output, float sigma) => Config.Prediction switch
    {
        Prediction.Epsilon => x - sigma * output,
        Prediction.Sample => output,
        _ => output * (-sigma / MathF.Sqrt(sigma * sigma + 1)) + x / (sigma * sigma + 1),
    };

    private static Tensor AddNoise(Tensor x0, Tensor noise, float sigma)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(x0 + noise * sigma);
    }
}
