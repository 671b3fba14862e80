namespace Fleet.Diffusion.Sampling;

/// <summary>A noise level in the terms of the exponential integrators: x = α x_0 + σ ε; λ = log(α / σ), half the log of the SNR.</summary>
internal readonly record struct NoiseLevel(float Alpha, float Sigma)
{
    public float Lambda => MathF.Log(Alpha) - MathF.Log(Sigma);

    /// <summary>From σ/α (diffusion models) or σ (flow models, where α + σ = 1).</summary>
    public static NoiseLevel Of(float sigma, bool flow)
    {
        if (flow)
        {
            return new(1 - sigma, sigma);
        }

        float alpha = 1 / MathF.Sqrt(sigma * sigma + 1);
        return new(alpha, sigma * alpha);
    }
}

/// <summary>
/// The weights of one DPM-Solver update from one noise level to another: of the latents, of the network's prediction D0 and its
/// finite differences D1 and D2, and of fresh noise. Lu et al. 2022: DPM-Solver (arXiv:2206.00927, on ε), DPM-Solver++
/// (arXiv:2211.01095, on x_0), and their SDE forms. The multistep and the single-step solver differ in D1 and D2 only.
/// </summary>
/// <param name="X">Weight of the latents.</param>
/// <param name="D0">Weight of the prediction.</param>
/// <param name="D1">Weight of the first difference, by the integral ("heun").</param>
/// <param name="D2">Weight of the second difference, by the integral.</param>
/// <param name="Noise">Weight of unit noise.</param>
internal readonly record struct DpmSolver(float X, float D0, float D1, float D2, float Noise)
{
    /// <summary>Weight of the first difference taken at the middle of the step ("midpoint").</summary>
    public float D1Midpoint => 0.5f * D0;

    public static DpmSolver Weights(string algorithm, NoiseLevel from, NoiseLevel to)
    {
        float h = to.Lambda - from.Lambda;
        float fall = MathF.Exp(-h) - 1;
        float rise = MathF.Exp(h) - 1;
        float fallTwice = 1 - MathF.Exp(-2 * h);
        return algorithm switch
        {
            "dpmsolver++" => new(
                to.Sigma / from.Sigma,
                -(to.Alpha * fall),
                to.Alpha * (fall / h + 1),
                -(to.Alpha * ((fall + h) / (h * h) - 0.5f)),
                0),
            "dpmsolver" => new(
                to.Alpha / from.Alpha,
                -(to.Sigma * rise),
                -(to.Sigma * (rise / h - 1)),
                -(to.Sigma * ((rise - h) / (h * h) - 0.5f)),
                0),
            "sde-dpmsolver++" => new(
                to.Sigma / from.Sigma * MathF.Exp(-h),
                to.Alpha * fallTwice,
                to.Alpha * (fallTwice / (-2 * h) + 1),
                to.Alpha * ((fallTwice - 2 * h) / (2 * h * (2 * h)) - 0.5f),
                to.Sigma * MathF.Sqrt(fallTwice)),
            "sde-dpmsolver" => new(
                to.Alpha / from.Alpha,
                -2 * (to.Sigma * rise),
                -2 * (to.Sigma * (rise / h - 1)),
                0,
                to.Sigma * MathF.Sqrt(MathF.Exp(2 * h) - 1)),
            _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "Not a DPM-Solver."),
        };
    }
}
