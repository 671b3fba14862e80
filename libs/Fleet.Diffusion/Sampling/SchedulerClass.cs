namespace Fleet.Diffusion.Sampling;

/// <summary>
/// One scheduler class of diffusers (0.40): its settings, what they are when the file does not name them, and the sampler that runs it.
/// </summary>
internal sealed class SchedulerClass
{
    /// <summary>A setting's usual default, and its value in a class that does not have it.</summary>
    public static readonly IReadOnlyDictionary<string, object?> Neutral = new Dictionary<string, object?>
    {
        ["num_train_timesteps"] = 1000L,
        ["beta_start"] = 0.0001,
        ["beta_end"] = 0.02,
        ["beta_schedule"] = "linear",
        ["trained_betas"] = null,
        ["prediction_type"] = "epsilon",
        ["timestep_spacing"] = "linspace",
        ["steps_offset"] = 0L,
        ["rescale_betas_zero_snr"] = false,
        ["thresholding"] = false,
        ["dynamic_thresholding_ratio"] = 0.995,
        ["sample_max_value"] = 1.0,
        ["clip_sample"] = false,
        ["clip_sample_range"] = 1.0,
        ["set_alpha_to_one"] = true,
        ["variance_type"] = null,
        ["skip_prk_steps"] = false,
        ["original_inference_steps"] = 50L,
        ["timestep_scaling"] = 10.0,
        ["interpolation_type"] = "linear",
        ["timestep_type"] = "discrete",
        ["sigma_min"] = null,
        ["sigma_max"] = null,
        ["final_sigmas_type"] = "zero",
        ["use_karras_sigmas"] = false,
        ["use_exponential_sigmas"] = false,
        ["use_beta_sigmas"] = false,
        ["use_lu_lambdas"] = false,
        ["use_flow_sigmas"] = false,
        ["flow_shift"] = 1.0,
        ["use_dynamic_shifting"] = false,
        ["time_shift_type"] = "exponential",
        ["shift_terminal"] = null,
        ["solver_order"] = 2L,
        ["algorithm_type"] = "dpmsolver++",
        ["solver_type"] = "midpoint",
        ["lower_order_final"] = true,
        ["euler_at_final"] = false,
        ["lambda_min_clipped"] = double.NegativeInfinity,
        ["predict_x0"] = true,
        ["disable_corrector"] = Array.Empty<double>(),
        ["solver_p"] = null,
    };

    private static readonly string[] Betas =
        ["num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type"];

    private static readonly string[] Spacing = ["timestep_spacing", "steps_offset"];
    private static readonly string[] ZeroSnr = ["rescale_betas_zero_snr"];
    private static readonly string[] Threshold = ["thresholding", "dynamic_thresholding_ratio", "sample_max_value"];
    private static readonly string[] Clip = ["clip_sample", "clip_sample_range"];
    private static readonly string[] Shapes = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];
    private static readonly string[] Consistency = ["original_inference_steps", "timestep_scaling", "set_alpha_to_one"];

    private static readonly string[] Solver =
    [
        .. Betas, .. Threshold, .. Shapes, "solver_order", "solver_type", "lower_order_final",
        "use_flow_sigmas", "flow_shift", "use_dynamic_shifting", "time_shift_type",
    ];

    private static readonly string[] DpmSolver = [.. Solver, "algorithm_type", "final_sigmas_type", "lambda_min_clipped", "variance_type"];

    private static readonly (string, object?)[] Leading = [("timestep_spacing", "leading")];
    private static readonly (string, object?)[] StableBetas = [("beta_start", 0.00085), ("beta_end", 0.012)];
    private static readonly (string, object?)[] Distilled = [.. Leading, .. StableBetas, ("beta_schedule", "scaled_linear")];

    private static readonly Dictionary<string, SchedulerClass> All = new SchedulerClass[]
    {
        new("DDPMScheduler", (config, plan) => new DdpmSampler(config, plan),
            [.. Betas, .. Clip, .. Threshold, .. Spacing, .. ZeroSnr, "variance_type"],
            [.. Leading, ("clip_sample", true), ("variance_type", "fixed_small")]),
        new("DDIMScheduler", (config, plan) => new DdimSampler(config, plan),
            [.. Betas, .. Clip, .. Threshold, .. Spacing, .. ZeroSnr, "set_alpha_to_one"],
            [.. Leading, ("clip_sample", true)]),
        new("PNDMScheduler", (config, plan) => new PndmSampler(config, plan),
            [.. Betas, .. Spacing, "skip_prk_steps", "set_alpha_to_one"],
            [.. Leading, ("set_alpha_to_one", false)]),
        new("LCMScheduler", (config, plan) => new LcmSampler(config, plan),
            [.. Betas, .. Clip, .. Threshold, .. Spacing, .. ZeroSnr, .. Consistency], Distilled),
        new("TCDScheduler", (config, plan) => new TcdSampler(config, plan),
            [.. Betas, .. Clip, .. Threshold, .. Spacing, .. ZeroSnr, .. Consistency], Distilled),
        new("EulerDiscreteScheduler", (config, plan) => new EulerSampler(config, plan),
            [
                .. Betas, .. Shapes, .. Spacing, .. ZeroSnr, "interpolation_type", "timestep_type", "sigma_min", "sigma_max",
                "final_sigmas_type",
            ]),
        new("EulerAncestralDiscreteScheduler", (config, plan) => new EulerAncestralSampler(config, plan),
            [.. Betas, .. Spacing, .. ZeroSnr]),
        new("LMSDiscreteScheduler", (config, plan) => new LmsSampler(config, plan), [.. Betas, .. Shapes, .. Spacing]),
        new("HeunDiscreteScheduler", (config, plan) => new HeunSampler(config, plan),
            [.. Betas, .. Shapes, .. Spacing, .. Clip], StableBetas),
        new("KDPM2DiscreteScheduler", (config, plan) => new Dpm2Sampler(config, plan, ancestral: false),
            [.. Betas, .. Shapes, .. Spacing], StableBetas),
        new("KDPM2AncestralDiscreteScheduler", (config, plan) => new Dpm2Sampler(config, plan, ancestral: true),
            [.. Betas, .. Shapes, .. Spacing], StableBetas),
        new("DPMSolverMultistepScheduler", (config, plan) => new DpmSolverMultistepSampler(config, plan),
            [.. DpmSolver, .. Spacing, .. ZeroSnr, "euler_at_final", "use_lu_lambdas"]),
        new("DPMSolverSinglestepScheduler", (config, plan) => new DpmSolverSinglestepSampler(config, plan),
            DpmSolver, [("lower_order_final", false)]),
        new("DEISMultistepScheduler", (config, plan) => new DeisSampler(config, plan),
            [.. Solver, .. Spacing, "algorithm_type"], [("algorithm_type", "deis"), ("solver_type", "logrho")]),
        new("UniPCMultistepScheduler", (config, plan) => new UniPcSampler(config, plan),
            [
                .. Solver, .. Spacing, .. ZeroSnr, "final_sigmas_type", "predict_x0", "disable_corrector", "solver_p",
                "sigma_min", "sigma_max", "shift_terminal",
            ],
            [("solver_type", "bh2")]),
    }.ToDictionary(type => type.Name);

    private SchedulerClass(
        string name, Func<SchedulerConfig, StepPlan, Sampler> create, string[] keys, params (string Key, object? Value)[] own)
    {
        Name = name;
        Create = create;
        var defaults = keys.ToDictionary(key => key, key => Neutral[key]);
        foreach (var (key, value) in own)
        {
            defaults[key] = value;
        }

        Defaults = defaults;
    }

    /// <summary>The name in "_class_name".</summary>
    public string Name { get; }

    /// <summary>Makes a sampler of this class.</summary>
    public Func<SchedulerConfig, StepPlan, Sampler> Create { get; }

    /// <summary>The class's settings and their defaults.</summary>
    public IReadOnlyDictionary<string, object?> Defaults { get; }

    /// <summary>The class's settings.</summary>
    public IEnumerable<string> Keys => Defaults.Keys;

    /// <summary>The class of that name.</summary>
    /// <exception cref="SchedulerException">There is none.</exception>
    public static SchedulerClass Find(string? name) =>
        name is not null && All.TryGetValue(name, out var type)
            ? type
            : throw new SchedulerException(
                $"Unknown scheduler class {SchedulerConfig.Show(name)}. " +
                $"Possible: {string.Join(", ", All.Keys.Order(StringComparer.Ordinal))}.");
}
