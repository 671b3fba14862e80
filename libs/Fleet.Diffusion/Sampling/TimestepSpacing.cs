namespace Fleet.Diffusion.Sampling;

/// <summary>
/// Which training timesteps a plan visits, in falling order: Lin et al. 2023 (arXiv:2305.08891), Table 2. The three families of
/// samplers differ in rounding and in whether the last timestep counts as a step.
/// </summary>
internal static class TimestepSpacing
{
    /// <summary>For samplers that step between noise levels: linspace need not fall on whole timesteps.</summary>
    public static double[] ForSigmas(SchedulerConfig config, int steps) => config.Spacing switch
    {
        "linspace" => [.. Grid.Linspace(0, config.TrainTimesteps - 1, steps).Reverse().Select(t => (double)(float)t)],
        _ => ForAlphas(config, steps),
    };

    /// <summary>For samplers that look up ᾱ_t: whole timesteps.</summary>
    public static double[] ForAlphas(SchedulerConfig config, int steps) => config.Spacing switch
    {
        "linspace" => [.. Grid.Linspace(0, config.TrainTimesteps - 1, steps).Reverse().Select(t => Math.Round(t))],
        "leading" => Leading(config.TrainTimesteps / steps, steps, config.StepsOffset),
        "trailing" => Trailing(config.TrainTimesteps, config.TrainTimesteps, steps),
        _ => throw Unknown(config),
    };

    /// <summary>
    /// For the exponential integrators, which divide [0, last) into steps + 1 parts and leave the end to the final sigma.
    /// </summary>
    public static double[] ForSolvers(SchedulerConfig config, int last, int steps) => config.Spacing switch
    {
        "linspace" => [.. Grid.Linspace(0, last - 1, steps + 1).Reverse().Take(steps).Select(t => Math.Round(t))],
        "leading" => [.. Leading(last / (steps + 1), steps + 1, config.StepsOffset).Take(steps)],
        "trailing" => Trailing(config.TrainTimesteps, last, steps),
        _ => throw Unknown(config),
    };

    private static double[] Leading(int stride, int count, int offset) =>
        [.. Enumerable.Range(0, count).Reverse().Select(i => (double)i * stride + offset)];

    // NumPy's arange takes its stride from the first two values, which are rounded.
    private static double[] Trailing(int train, int last, int steps)
    {
        double ratio = (double)train / steps;
        double stride = last - ratio - last;
        int count = Math.Min(steps, (int)Math.Ceiling(last / ratio));
        return [.. Enumerable.Range(0, count).Select(i => Math.Round(last + i * stride) - 1)];
    }

    private static SchedulerException Unknown(SchedulerConfig config) =>
        config.Refusal("timestep_spacing", "use leading, linspace or trailing.");
}
