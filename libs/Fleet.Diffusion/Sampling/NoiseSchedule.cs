using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>
/// The forward process that the model was trained with: x_t = sqrt(ᾱ_t) x_0 + sqrt(1 - ᾱ_t) ε, for each training timestep t.
/// Computed in float32, as the reference does: the rounding is part of the published numbers.
/// </summary>
public sealed class NoiseSchedule
{
    private NoiseSchedule(float[] alphasCumprod)
    {
        AlphasCumprod = alphasCumprod;
        Sigmas = [.. alphasCumprod.Select(alpha => MathF.Sqrt((1 - alpha) / alpha))];
        LogSigmas = [.. Sigmas.Select(sigma => MathF.Log(sigma))];
    }

    /// <summary>ᾱ_t, the share of signal power left at t; falls with t.</summary>
    public IReadOnlyList<float> AlphasCumprod { get; }

    /// <summary>σ_t = sqrt((1 - ᾱ_t) / ᾱ_t), noise relative to signal; rises with t.</summary>
    public IReadOnlyList<float> Sigmas { get; }

    internal IReadOnlyList<float> LogSigmas { get; }

    // Samplers that divide by ᾱ keep the last one just above zero: 2^-24, the smallest subnormal of float16.
    internal static NoiseSchedule Create(SchedulerConfig config, bool finiteTerminalSigma)
    {
        using var scope = NewDisposeScope();
        var betas = Betas(config);
        if (config.RescaleBetasZeroSnr)
        {
            betas = RescaleToZeroTerminalSnr(betas);
        }

        float[] alphasCumprod = (1.0f - betas).cumprod(0).data<float>().ToArray();
        if (config.RescaleBetasZeroSnr && finiteTerminalSigma)
        {
            alphasCumprod[^1] = 1.0f / (1 << 24);
        }

        return new NoiseSchedule(alphasCumprod);
    }

    private static Tensor Betas(SchedulerConfig config)
    {
        int count = config.TrainTimesteps;
        if (count is < 1 or > 100_000)
        {
            throw config.Refusal("num_train_timesteps", "it is 1 to 100000, usually 1000.");
        }

        if (config.TrainedBetas is { } trained)
        {
            return trained.Count == count
                ? tensor(trained.Select(beta => (float)beta).ToArray())
                : throw config.Refusal("trained_betas", $"num_train_timesteps is {count}; both must agree.");
        }

        return config.BetaSchedule switch
        {
            "linear" => linspace(config.BetaStart, config.BetaEnd, count, ScalarType.Float32),
            "scaled_linear" => linspace(Math.Sqrt(config.BetaStart), Math.Sqrt(config.BetaEnd), count, ScalarType.Float32).square(),
            "squaredcos_cap_v2" => tensor(CosineBetas(count)),
            _ => throw config.Refusal("beta_schedule", "use linear, scaled_linear or squaredcos_cap_v2."),
        };
    }

    // Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 17, capped at 0.999.
    private static float[] CosineBetas(int count)
    {
        double AlphaBar(double t) => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2);
        return
        [
            .. Enumerable.Range(0, count)
                .Select(i => (float)Math.Min(1 - AlphaBar((double)(i + 1) / count) / AlphaBar((double)i / count), 0.999)),
        ];
    }

    // Lin et al. 2023 (arXiv:2305.08891), Algorithm 1: shift sqrt(ᾱ) so that the last is zero, scale so that the first stays.
    private static Tensor RescaleToZeroTerminalSnr(Tensor betas)
    {
        var root = (1.0f - betas).cumprod(0).sqrt();
        float first = root[0].item<float>();
        float last = root[-1].item<float>();
        var alphasBar = ((root - last) * (first / (first - last))).square();
        var alphas = cat([alphasBar[..1], alphasBar[1..] / alphasBar[..^1]]);
        return 1.0f - alphas;
    }
}
