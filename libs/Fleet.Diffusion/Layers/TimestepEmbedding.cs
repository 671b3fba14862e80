using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Layers;

/// <summary>The sinusoidal embedding of a timestep: w/2 frequencies falling from 1 to 1/10000, their sines and cosines.</summary>
internal sealed class Timesteps(int width, bool cosineFirst, double frequencyShift) : Module<Tensor, Tensor>(nameof(Timesteps))
{
    /// <param name="timesteps">(b)</param>
    /// <returns>(b, width) float32</returns>
    public override Tensor forward(Tensor timesteps)
    {
        using var scope = NewDisposeScope();

        int half = width / 2;
        var exponents = arange(half, ScalarType.Float32, timesteps.device) * -Math.Log(10_000) / (half - frequencyShift);
        var angles = timesteps.to(ScalarType.Float32).unsqueeze(1) * exponents.exp().unsqueeze(0);
        var embedding = cosineFirst ? cat([angles.cos(), angles.sin()], dim: 1) : cat([angles.sin(), angles.cos()], dim: 1);
        return scope.MoveToOuter(width % 2 == 0 ? embedding : functional.pad(embedding, (0, 1)));
    }
}

/// <summary>The two-layer network on top of the sinusoids; distilled models add a second input, the embedded guidance scale.</summary>
internal sealed class TimestepEmbedding : Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear linear_1;
    private readonly Linear? cond_proj;
    private readonly Linear linear_2;
    private readonly Activation activation;
    private readonly Activation? afterwards;

    public TimestepEmbedding(int inputs, int outputs, Activation activation, Activation? afterwards, int? conditionWidth)
        : base(nameof(TimestepEmbedding))
    {
        this.activation = activation;
        this.afterwards = afterwards;
        linear_1 = ShapeOnly.Linear(inputs, outputs);
        cond_proj = conditionWidth is { } width ? ShapeOnly.Linear(width, inputs, bias: false) : null;
        linear_2 = ShapeOnly.Linear(outputs, outputs);
        RegisterComponents();
    }

    public override Tensor forward(Tensor sinusoids, Tensor? condition)
    {
        using var scope = NewDisposeScope();

        var x = condition is null || cond_proj is null ? sinusoids : sinusoids + cond_proj.call(condition);
        x = linear_2.call(activation.InPlace(linear_1.call(x)));
        return scope.MoveToOuter(afterwards?.InPlace(x) ?? x);
    }
}
