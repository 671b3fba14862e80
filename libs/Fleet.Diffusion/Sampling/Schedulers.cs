namespace Fleet.Diffusion.Sampling;

/// <summary>A scheduler that requests may name.</summary>
/// <param name="Name">The name in requests, for example "euler".</param>
/// <param name="ClassName">The class in diffusers' naming, for example "EulerDiscreteScheduler".</param>
/// <param name="Reference">Where the algorithm is published.</param>
/// <param name="CallsPerStep">Calls of the network per step.</param>
/// <param name="Stochastic">Draws fresh noise at each step.</param>
/// <param name="AcceptsSigmas">Can spread its noise levels as "karras", "exponential" or "beta".</param>
/// <param name="AcceptsSpacing">Can space its timesteps as "leading", "linspace" or "trailing".</param>
public sealed record SchedulerDescription(
    string Name, string ClassName, string Reference, int CallsPerStep, bool Stochastic, bool AcceptsSigmas, bool AcceptsSpacing)
{
    // What tells this scheduler from others of its class.
    internal IReadOnlyDictionary<string, object?> Settings { get; init; } = new Dictionary<string, object?>();
}

/// <summary>The schedulers by the names that users know, and the choice of one for a model that was made with another.</summary>
public static class Schedulers
{
    private static readonly string[] SigmaShapes = ["karras", "exponential", "beta"];
    private static readonly string[] Spacings = ["leading", "linspace", "trailing"];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<SchedulerDescription> All { get; } =
    [
        Describe("ddpm", "DDPMScheduler", "Ho et al. 2020, arXiv:2006.11239", stochastic: true),
        Describe("ddim", "DDIMScheduler", "Song et al. 2021, arXiv:2010.02502"),
        Describe("pndm", "PNDMScheduler", "Liu et al. 2022, arXiv:2202.09778"),
        Describe("lms", "LMSDiscreteScheduler", "k-diffusion, sample_lms"),
        Describe("euler", "EulerDiscreteScheduler", "Karras et al. 2022, arXiv:2206.00364"),
        Describe("euler-a", "EulerAncestralDiscreteScheduler", "k-diffusion, sample_euler_ancestral", stochastic: true),
        Describe("heun", "HeunDiscreteScheduler", "Karras et al. 2022, arXiv:2206.00364", callsPerStep: 2),
        Describe("dpm2", "KDPM2DiscreteScheduler", "Lu et al. 2022, arXiv:2206.00927", callsPerStep: 2),
        Describe("dpm2-a", "KDPM2AncestralDiscreteScheduler", "k-diffusion, sample_dpm_2_ancestral", callsPerStep: 2, stochastic: true),
        Describe("dpmpp-2m", "DPMSolverMultistepScheduler", "Lu et al. 2022, arXiv:2211.01095") with
        {
            Settings = Solver("dpmsolver++"),
        },
        Describe("dpmpp-2m-sde", "DPMSolverMultistepScheduler", "Lu et al. 2022, arXiv:2211.01095", stochastic: true) with
        {
            Settings = Solver("sde-dpmsolver++"),
        },
        Describe("dpmpp-2s", "DPMSolverSinglestepScheduler", "Lu et al. 2022, arXiv:2211.01095") with
        {
            Settings = Solver("dpmsolver++"),
        },
        Describe("unipc", "UniPCMultistepScheduler", "Zhao et al. 2023, arXiv:2302.04867"),
        Describe("deis", "DEISMultistepScheduler", "Zhang and Chen 2023, arXiv:2204.13902") with
        {
            Settings = new Dictionary<string, object?> { ["algorithm_type"] = "deis" },
        },
        Describe("lcm", "LCMScheduler", "Luo et al. 2023, arXiv:2310.04378", stochastic: true, fixedSpacing: true),
        Describe("tcd", "TCDScheduler", "Zheng et al. 2024, arXiv:2402.19159", stochastic: true, fixedSpacing: true),
    ];

    /// <summary>The description of what a configuration runs.</summary>
    public static SchedulerDescription Of(SchedulerConfig config)
    {
        var candidates = All.Where(scheduler => scheduler.ClassName == config.ClassName).ToArray();
        return candidates.FirstOrDefault(
            scheduler => scheduler.Settings.TryGetValue("algorithm_type", out object? algorithm) && Equals(algorithm, config.AlgorithmType))
            ?? candidates[0];
    }

    /// <summary>
    /// The configuration of the scheduler that a request names, for a model whose own is another: what the model's file says
    /// carries over, as with diffusers' <c>from_config</c>. Empty strings and null leave a thing as the scheduler has it.
    /// </summary>
    /// <param name="own">The model's scheduler.</param>
    /// <param name="name">A name of <see cref="All"/>, or empty.</param>
    /// <param name="sigmas">"karras", "exponential", "beta", or empty.</param>
    /// <param name="spacing">"leading", "linspace", "trailing", or empty.</param>
    /// <param name="eta">0 to 1, for ddim and tcd.</param>
    /// <exception cref="SchedulerException">An unknown name, or a choice that the scheduler does not have.</exception>
    public static SchedulerConfig Choose(SchedulerConfig own, string name, string sigmas, string spacing, double? eta)
    {
        var chosen = name.Length == 0 ? Of(own) : Find(name);
        var config = own;
        if (name.Length > 0)
        {
            config = chosen.Settings.Aggregate(own.As(chosen.ClassName), (c, setting) => c.With(setting.Key, setting.Value));
        }

        if (sigmas.Length > 0)
        {
            config = WithSigmas(config, chosen, sigmas);
        }

        if (spacing.Length > 0)
        {
            Require("timestep spacing", spacing, Spacings, chosen, chosen.AcceptsSpacing, All.Where(scheduler => scheduler.AcceptsSpacing));
            config = config.With("timestep_spacing", spacing);
        }

        return eta is { } share ? WithEta(config, chosen, share) : config;
    }

    private static SchedulerDescription Find(string name) =>
        All.FirstOrDefault(scheduler => scheduler.Name == name) ??
        throw new SchedulerException($"Unknown scheduler '{name}'. Possible: {Names(All)}.");

    private static SchedulerConfig WithSigmas(SchedulerConfig config, SchedulerDescription chosen, string sigmas)
    {
        Require("sigmas", sigmas, SigmaShapes, chosen, chosen.AcceptsSigmas, All.Where(scheduler => scheduler.AcceptsSigmas));
        config = SigmaShapes.Aggregate(config, (c, shape) => c.With($"use_{shape}_sigmas", shape == sigmas));
        return config.With("use_lu_lambdas", false);
    }

    private static SchedulerConfig WithEta(SchedulerConfig config, SchedulerDescription chosen, double eta)
    {
        if (chosen.Name is not ("ddim" or "tcd"))
        {
            throw new SchedulerException($"eta is for ddim and tcd; {chosen.Name} has none.");
        }

        return eta is >= 0 and <= 1
            ? config.With(config.Step with { Eta = eta })
            : throw new SchedulerException($"eta = {SchedulerConfig.Show(eta)}; use 0 (no fresh noise) to 1.");
    }

    private static void Require(
        string what, string value, string[] possible, SchedulerDescription chosen, bool accepts, IEnumerable<SchedulerDescription> others)
    {
        if (!possible.Contains(value))
        {
            throw new SchedulerException($"Unknown {what} '{value}'. Possible: {string.Join(", ", possible)}.");
        }

        if (!accepts)
        {
            throw new SchedulerException($"{chosen.Name} has no choice of {what}. Schedulers that have: {Names(others)}.");
        }
    }

    private static string Names(IEnumerable<SchedulerDescription> schedulers) =>
        string.Join(", ", schedulers.Select(scheduler => scheduler.Name));

    private static Dictionary<string, object?> Solver(string algorithm) =>
        new() { ["algorithm_type"] = algorithm, ["solver_order"] = 2L };

    private static SchedulerDescription Describe(
        string name, string className, string reference, int callsPerStep = 1, bool stochastic = false, bool fixedSpacing = false)
    {
        var settings = SchedulerClass.Find(className).Defaults;
        return new(
            name, className, reference, callsPerStep, stochastic, settings.ContainsKey("use_karras_sigmas"),
            settings.ContainsKey("timestep_spacing") && !fixedSpacing);
    }
}
