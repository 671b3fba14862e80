namespace Fleet.Diffusion.Sampling;

/// <summary>How noise levels are spread between a highest and a lowest, in falling order.</summary>
internal static class SigmaSpacing
{
    /// <summary>The levels of a shape other than the trained one.</summary>
    public static double[] Spread(SigmaShape shape, double max, double min, int steps) => shape switch
    {
        SigmaShape.Karras => Karras(max, min, steps),
        SigmaShape.Exponential => [.. Grid.Linspace(Math.Log(max), Math.Log(min), steps).Select(log => Math.Exp(log))],
        SigmaShape.Beta => Beta(max, min, steps),
        _ => throw new ArgumentOutOfRangeException(nameof(shape), shape, "A trained spacing comes from timesteps."),
    };

    /// <summary>The timestep of a noise level, between training timesteps by the logarithm.</summary>
    public static double ToTimestep(double sigma, IReadOnlyList<float> logSigmas)
    {
        double log = Math.Log(Math.Max(sigma, 1e-10));
        int low = 0;
        while (low < logSigmas.Count - 2 && logSigmas[low + 1] <= log)
        {
            low++;
        }

        float span = logSigmas[low] - logSigmas[low + 1];
        double weight = Math.Clamp((logSigmas[low] - log) / span, 0, 1);
        return (1 - weight) * low + weight * (low + 1);
    }

    // Karras et al. 2022 (arXiv:2206.00364), equation 5.
    private static double[] Karras(double max, double min, int steps)
    {
        const double rho = 7;
        double high = Math.Pow(max, 1 / rho);
        double low = Math.Pow(min, 1 / rho);
        return [.. Grid.Linspace(0, 1, steps).Select(ramp => Math.Pow(high + ramp * (low - high), rho))];
    }

    // Lee et al. 2024 (arXiv:2407.12173): quantiles of the beta distribution with α = β = 0.6.
    private static double[] Beta(double max, double min, int steps) =>
        [.. Grid.Linspace(0, 1, steps).Select(ramp => min + BetaDistribution.Quantile(1 - ramp, 0.6, 0.6) * (max - min))];
}
