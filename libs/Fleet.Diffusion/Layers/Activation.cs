using static TorchSharp.torch;

namespace Fleet.Diffusion.Layers;

/// <summary>An elementwise nonlinearity, by the name that a config gives it.</summary>
internal sealed class Activation
{
    private readonly Func<Tensor, Tensor> apply;
    private readonly Func<Tensor, Tensor> applyInPlace;

    private Activation(Func<Tensor, Tensor> apply, Func<Tensor, Tensor> applyInPlace)
    {
        this.apply = apply;
        this.applyInPlace = applyInPlace;
    }

    public static Activation Silu { get; } = new(x => x.silu(), x => x.silu_());

    /// <summary>The names that <see cref="Named"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["silu", "swish", "mish", "gelu", "relu", "quick_gelu", "gelu_new", "gelu_pytorch_tanh"];

    public static Activation Named(string name) => name switch
    {
        "silu" or "swish" => Silu,
        "mish" => new(x => nn.functional.mish(x), x => nn.functional.mish(x, inplace: true)),
        "gelu" => new(x => nn.functional.gelu(x), x => nn.functional.gelu(x, inplace: true)),
        "relu" => new(x => x.relu(), x => x.relu_()),
        "quick_gelu" => new(QuickGelu, QuickGelu),
        "gelu_new" or "gelu_pytorch_tanh" => new(TanhGelu, TanhGelu),
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, $"There is no such activation; there are {string.Join(", ", Names)}."),
    };

    /// <summary>A new tensor.</summary>
    public Tensor Of(Tensor x) => apply(x);

    /// <summary>Overwrites <paramref name="x"/> where the function can, so only for a tensor that nothing else holds.</summary>
    public Tensor InPlace(Tensor x) => applyInPlace(x);

    // x * sigmoid(1.702 x): the approximation that OpenAI trained CLIP with.
    private static Tensor QuickGelu(Tensor x)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter((x * 1.702).sigmoid_().mul_(x));
    }

    private static Tensor TanhGelu(Tensor x) => nn.functional.gelu(x, TorchSharp.Modules.GELU.Approximate.tanh);
}
