using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>Samplers that step from one ᾱ_t to another; their latents have unit variance throughout.</summary>
internal abstract class AlphaSampler : Sampler
{
    private protected AlphaSampler(SchedulerConfig config)
        : base(config, NoiseSchedule.Create(config, finiteTerminalSigma: false))
    {
        RefuseFlow();
    }

    public override Tensor ScaleModelInput(Tensor x, int call) => x.alias();

    public override Tensor AddNoise(Tensor x0, Tensor noise, int call) => AddTrainingNoise(x0, noise, Timesteps[call]);

    public override Tensor AddTrainingNoise(Tensor x0, Tensor noise, double timestep)
    {
        using var scope = NewDisposeScope();
        float alpha = Alpha((int)timestep);
        return scope.MoveToOuter(MathF.Sqrt(alpha) * x0 + MathF.Sqrt(1 - alpha) * noise);
    }

    private protected float Alpha(int timestep) => Noise.AlphasCumprod[timestep];

    // ᾱ after the last step: 1, or that of the first training timestep.
    private protected float FinalAlpha => Config.SetAlphaToOne ? 1 : Alpha(0);

    // x_0 and ε as the network's output implies them (Salimans and Ho 2022, arXiv:2202.00512, appendix D, for v).
    private protected (Tensor X0, Tensor Epsilon) Predict(Tensor x, Tensor output, float alpha)
    {
        float signal = MathF.Sqrt(alpha);
        float noise = MathF.Sqrt(1 - alpha);
        return Config.Prediction switch
        {
            Prediction.Epsilon => ((x - noise * output) / signal, output),
            Prediction.Sample => (output, (x - signal * output) / noise),
            _ => (signal * x - noise * output, signal * output + noise * x),
        };
    }

    private protected Tensor Bound(Tensor x0) =>
        Config.Thresholding ? ThresholdDynamically(x0, Config.DynamicThresholdingRatio, Config.SampleMaxValue)
        : Config.ClipSample ? x0.clamp(-Config.ClipSampleRange, Config.ClipSampleRange)
        : x0;
}
