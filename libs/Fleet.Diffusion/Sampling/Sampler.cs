using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// A plan: which timesteps and noise levels one scheduler visits in a number of steps, and how it steps. Immutable; any number of
/// jobs share it, because all that belongs to a job is in its <see cref="SamplerState"/>.
/// </summary>
public abstract class Sampler
{
    private protected Sampler(SchedulerConfig config, NoiseSchedule noise)
    {
        Config = config;
        Noise = noise;
    }

    /// <summary>The scheduler's class and settings.</summary>
    public SchedulerConfig Config { get; }

    /// <summary>The forward process of the model.</summary>
    public NoiseSchedule Noise { get; }

    /// <summary>The timestep of each call of the network, falling.</summary>
    public IReadOnlyList<double> Timesteps { get; private protected init; } = [];

    /// <summary>The noise level before each step, and the one at the end; empty where the sampler works on ᾱ instead.</summary>
    public IReadOnlyList<float> Sigmas { get; private protected init; } = [];

    /// <summary>What unit noise is multiplied by to become the first latents.</summary>
    public double InitNoiseSigma { get; private protected init; } = 1;

    /// <summary>Calls of the network per step: diffusers' "order".</summary>
    public virtual int CallsPerStep => 1;

    /// <summary>The steps that were asked for; samplers of several calls per step save one call on the last.</summary>
    public int Steps { get; private protected init; }

    /// <summary>Plans a number of steps.</summary>
    /// <exception cref="SchedulerException">The settings contradict each other or this number of steps, or have no sampler.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one step, or more than training timesteps.</exception>
    public static Sampler Create(SchedulerConfig config, int steps)
    {
        if (steps < 1 || steps > config.TrainTimesteps)
        {
            throw new ArgumentOutOfRangeException(
                nameof(steps), steps, $"steps = {steps}; this model takes 1 to {config.TrainTimesteps} steps.");
        }

        var sampler = config.Class.Create(config, new StepPlan(steps, null, null));
        return sampler is AlphaSampler && sampler.Timesteps[0] >= config.TrainTimesteps
            ? throw new SchedulerException(
                $"{steps} steps of {config.ClassName} with leading spacing and steps_offset {config.StepsOffset} begin at timestep {sampler.Timesteps[0]}, " +
                $"and the model knows timesteps up to {config.TrainTimesteps - 1}; give fewer steps, or spacing trailing.")
            : sampler;
    }

    /// <summary>Plans a step at each of the given training timesteps, which fall.</summary>
    /// <exception cref="SchedulerException">The scheduler takes no timesteps, or not these.</exception>
    public static Sampler CreateFromTimesteps(SchedulerConfig config, IReadOnlyList<double> timesteps)
    {
        bool falling = timesteps.Zip(timesteps.Skip(1)).All(pair => pair.First > pair.Second);
        if (timesteps.Count == 0 || !falling || timesteps[0] >= config.TrainTimesteps || timesteps[^1] < 0)
        {
            throw new SchedulerException(
                $"Timesteps [{string.Join(", ", timesteps)}]: give at least one, each below the one before, " +
                $"from at most {config.TrainTimesteps - 1} down to at least 0.");
        }

        return config.Class.Create(config, new StepPlan(timesteps.Count, timesteps, null));
    }

    /// <summary>Plans steps between the given noise levels, as the scheduler's class of diffusers takes them.</summary>
    /// <exception cref="SchedulerException">The scheduler takes no sigmas, or not these.</exception>
    public static Sampler CreateFromSigmas(SchedulerConfig config, IReadOnlyList<double> sigmas)
    {
        if (sigmas.Count == 0 || sigmas.Any(sigma => !double.IsFinite(sigma) || sigma < 0))
        {
            throw new SchedulerException($"Sigmas [{string.Join(", ", sigmas)}]: give at least one, none negative.");
        }

        return config.Class.Create(config, new StepPlan(sigmas.Count, null, sigmas));
    }

    /// <summary>
    /// The first call of a job that starts from a picture: how much of the schedule is left out when only that strength of it is
    /// run, rounded as diffusers rounds.
    /// </summary>
    /// <param name="strength">Above 0, up to 1 (the whole schedule).</param>
    /// <exception cref="ArgumentOutOfRangeException">The strength is outside, or too low for a single step.</exception>
    public int StartCall(double strength)
    {
        int run = strength is > 0 and <= 1 ? (int)(Steps * strength) : 0;
        int call = (Steps - run) * CallsPerStep;
        return run > 0 && call < Timesteps.Count
            ? call
            : throw new ArgumentOutOfRangeException(
                nameof(strength), strength, $"strength = {strength}; with {Steps} steps use {1.0 / Steps:0.####} to 1.");
    }

    /// <summary>What the network gets to see of the latents at a call.</summary>
    public abstract Tensor ScaleModelInput(Tensor x, int call);

    /// <summary>A picture's latents with the noise that the plan expects before a call.</summary>
    public abstract Tensor AddNoise(Tensor x0, Tensor noise, int call);

    /// <summary>
    /// A picture's latents with the noise of a training timestep, whatever the plan: what diffusers' <c>add_noise</c> gives on a
    /// scheduler that has no steps yet.
    /// </summary>
    public abstract Tensor AddTrainingNoise(Tensor x0, Tensor noise, double timestep);

    /// <summary>The state of a job before its first call.</summary>
    /// <param name="latents">(1, c, h, w) float32: unit noise times <see cref="InitNoiseSigma"/>, or from <see cref="AddNoise"/>.</param>
    /// <param name="startCall">0, or from <see cref="StartCall(double)"/>.</param>
    public SamplerState Begin(Tensor latents, int startCall = 0)
    {
        if (startCall < 0 || startCall >= Timesteps.Count || startCall % CallsPerStep != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(startCall), startCall, $"A job starts at a multiple of {CallsPerStep} below {Timesteps.Count}.");
        }

        using var scope = NewDisposeScope();
        return new SamplerState(startCall, startCall, latents.to(ScalarType.Float32), [], anchor: null, denoised: null);
    }

    /// <summary>One call further. Pure: the same arguments give the same state, and the given one is not changed.</summary>
    /// <param name="state">The job so far.</param>
    /// <param name="call">The call that was made: the state's next.</param>
    /// <param name="modelOutput">What the network makes of <see cref="ScaleModelInput"/> at this call's timestep, (1, c, h, w).</param>
    /// <param name="drawNoise">Draws unit noise, (1, c, h, w). Called as often, and in the order, that diffusers draws.</param>
    public SamplerState Step(SamplerState state, int call, Tensor modelOutput, Func<Tensor> drawNoise)
    {
        if (call != state.NextCall || call >= Timesteps.Count)
        {
            throw new ArgumentOutOfRangeException(
                nameof(call), call, $"The job's next call is {state.NextCall} of {Timesteps.Count}.");
        }

        if (!modelOutput.shape.SequenceEqual(state.Latents.shape))
        {
            throw new ArgumentException(
                $"The prediction is ({string.Join(", ", modelOutput.shape)}), the latents are ({string.Join(", ", state.Latents.shape)}).",
                nameof(modelOutput));
        }

        using var scope = NewDisposeScope();
        var next = Advance(state, call, modelOutput.to(ScalarType.Float32), drawNoise);
        return new SamplerState(state.StartCall, call + 1, next.Latents, next.History, next.Anchor, next.Denoised);
    }

    // Runs in a scope that is disposed after it; may return tensors of the old state.
    private protected abstract Advanced Advance(SamplerState state, int call, Tensor output, Func<Tensor> drawNoise);

    private protected void RefuseCustom(StepPlan plan, bool timesteps = false, bool sigmas = false)
    {
        if (plan.Timesteps is not null && !timesteps)
        {
            throw new SchedulerException($"{Config.ClassName} takes no timesteps of your own; give a number of steps.");
        }

        if (plan.Sigmas is not null && !sigmas)
        {
            throw new SchedulerException($"{Config.ClassName} takes no sigmas of your own; give a number of steps.");
        }
    }

    private protected void RefuseFlow()
    {
        if (Config.Prediction == Prediction.Flow)
        {
            throw Config.Refusal("prediction_type", "flow models run with UniPC, DEIS or the DPM-Solvers.");
        }
    }

    // A history that is one longer, but no longer than a limit.
    private protected static Tensor[] Push(IReadOnlyList<Tensor> history, Tensor newest, int limit) =>
        [.. history.Skip(Math.Max(0, history.Count + 1 - limit)), newest];

    // Saharia et al. 2022 (arXiv:2205.11487), section 2.3: clip to the given quantile of |x0|, scale back into [-1, 1].
    private protected static Tensor ThresholdDynamically(Tensor x0, double ratio, double max)
    {
        using var scope = NewDisposeScope();
        var magnitude = x0.abs().reshape(1, -1);
        var limit = quantile(magnitude, tensor((float)ratio), dim: 1).clamp(1, Math.Max(1, max));
        float bound = limit.item<float>();
        return scope.MoveToOuter(x0.clamp(-bound, bound) / bound);
    }
}

// What a plan was asked for: a number of steps, from timesteps or sigmas where they are given.
internal sealed record StepPlan(int Steps, IReadOnlyList<double>? Timesteps, IReadOnlyList<double>? Sigmas);

// What a call makes of a state.
internal readonly record struct Advanced(Tensor Latents, Tensor Denoised, IReadOnlyList<Tensor> History, Tensor? Anchor)
{
    public Advanced(Tensor latents, Tensor denoised)
        : this(latents, denoised, [], null)
    {
    }
}
