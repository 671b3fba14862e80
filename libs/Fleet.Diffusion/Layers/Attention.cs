using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Layers;

/// <summary>Multi-head attention of tokens over a context, or over themselves where no context is given.</summary>
// b batch, n tokens, m context tokens, c channels, k heads, d channels of a head
internal sealed class Attention : Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear to_q;
    private readonly Linear to_k;
    private readonly Linear to_v;
    private readonly ModuleList<Linear> to_out;
    private readonly int heads;

    public Attention(int channels, int heads, int headWidth, int? contextWidth)
        : base(nameof(Attention))
    {
        this.heads = heads;
        to_q = ShapeOnly.Linear(channels, heads * headWidth, bias: false);
        to_k = ShapeOnly.Linear(contextWidth ?? channels, heads * headWidth, bias: false);
        to_v = ShapeOnly.Linear(contextWidth ?? channels, heads * headWidth, bias: false);
        to_out = new ModuleList<Linear>(ShapeOnly.Linear(heads * headWidth, channels));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor? context)
    {
        using var scope = NewDisposeScope();

        context ??= x;
        var attended = functional.scaled_dot_product_attention(
            SplitHeads(to_q.call(x)), SplitHeads(to_k.call(context)), SplitHeads(to_v.call(context)));   // (b, k, n, d)
        return scope.MoveToOuter(to_out[0].call(attended.transpose(1, 2).flatten(2)));                   // (b, n, c)
    }

    private Tensor SplitHeads(Tensor tokens) => tokens.view(tokens.shape[0], tokens.shape[1], heads, -1).transpose(1, 2);   // (b, k, n, d)
}

/// <summary>Self-attention of a picture's positions with one head, added to its input: the middle of an autoencoder.</summary>
internal sealed class SpatialSelfAttention : Module<Tensor, Tensor>
{
    private readonly GroupNorm group_norm;
    private readonly Linear to_q;
    private readonly Linear to_k;
    private readonly Linear to_v;
    private readonly ModuleList<Linear> to_out;

    public SpatialSelfAttention(int channels, ResnetOptions options)
        : base(nameof(SpatialSelfAttention))
    {
        group_norm = ShapeOnly.GroupNorm(options.Groups, channels, options.Eps);
        to_q = ShapeOnly.Linear(channels, channels);
        to_k = ShapeOnly.Linear(channels, channels);
        to_v = ShapeOnly.Linear(channels, channels);
        to_out = new ModuleList<Linear>(ShapeOnly.Linear(channels, channels));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();

        var tokens = group_norm.call(x).flatten(2).transpose(1, 2).unsqueeze(1);                         // (b, 1, h*w, c)
        var attended = functional.scaled_dot_product_attention(to_q.call(tokens), to_k.call(tokens), to_v.call(tokens));
        var output = to_out[0].call(attended.squeeze(1)).transpose(1, 2).contiguous().view(x.shape);     // (b, c, h, w)
        return scope.MoveToOuter(output.add_(x));
    }
}
