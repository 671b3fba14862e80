using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Layers;

/// <summary>What the transformers of one level of a UNet have in common.</summary>
/// <param name="Heads">Heads of every attention; a head has channels / heads channels.</param>
/// <param name="Layers">Transformer blocks in sequence.</param>
/// <param name="ContextWidth">Width of the text embeddings.</param>
/// <param name="LinearProjection">Whether the projections in and out are linear layers instead of 1x1 convolutions.</param>
/// <param name="OnlyCrossAttention">Whether the first attention looks at the context too.</param>
internal sealed record TransformerOptions(int Heads, int Layers, int ContextWidth, bool LinearProjection, bool OnlyCrossAttention);

// Reference: diffusers models/transformers/transformer_2d.py, Transformer2DModel with continuous input.
// b batch, c channels, h w height and width, m context tokens
internal sealed class SpatialTransformer : Module<Tensor, Tensor, Tensor>
{
    private const double NormEps = 1e-6;

    private readonly GroupNorm norm;
    private readonly Module<Tensor, Tensor> proj_in;
    private readonly ModuleList<TransformerBlock> transformer_blocks;
    private readonly Module<Tensor, Tensor> proj_out;
    private readonly bool linearProjection;

    public SpatialTransformer(int channels, int groups, TransformerOptions options)
        : base(nameof(SpatialTransformer))
    {
        linearProjection = options.LinearProjection;
        int inner = channels / options.Heads * options.Heads;
        norm = ShapeOnly.GroupNorm(groups, channels, NormEps);
        proj_in = linearProjection ? ShapeOnly.Linear(channels, inner) : ShapeOnly.Conv2d(channels, inner, 1);
        transformer_blocks = new ModuleList<TransformerBlock>(
            [.. Enumerable.Range(0, options.Layers).Select(_ => new TransformerBlock(inner, options))]);
        proj_out = linearProjection ? ShapeOnly.Linear(inner, channels) : ShapeOnly.Conv2d(inner, channels, 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor context)
    {
        using var scope = NewDisposeScope();

        var normed = norm.call(x);
        var tokens = linearProjection ? proj_in.call(ToTokens(normed)) : ToTokens(proj_in.call(normed));   // (b, h*w, c)
        foreach (var block in transformer_blocks)
        {
            tokens = block.call(tokens, context);
        }

        var output = linearProjection ? ToPicture(proj_out.call(tokens), x) : proj_out.call(ToPicture(tokens, x));
        return scope.MoveToOuter(output.add_(x));
    }

    private static Tensor ToTokens(Tensor picture) => picture.flatten(2).transpose(1, 2).contiguous();

    // Contiguous, because a transposed view would count as channels-last from here to the end of the network, and the
    // convolutions' weights, which are not, would be reordered in every call.
    private static Tensor ToPicture(Tensor tokens, Tensor like) =>
        tokens.transpose(1, 2).contiguous().view(like.shape[0], -1, like.shape[2], like.shape[3]);
}

/// <summary>Self-attention, cross-attention and a gated feed-forward network, each normed before and added to its input.</summary>
internal sealed class TransformerBlock : Module<Tensor, Tensor, Tensor>
{
    private const double NormEps = 1e-5;

    private readonly LayerNorm norm1;
    private readonly Attention attn1;
    private readonly LayerNorm norm2;
    private readonly Attention attn2;
    private readonly LayerNorm norm3;
    private readonly FeedForward ff;
    private readonly bool onlyCrossAttention;

    public TransformerBlock(int channels, TransformerOptions options)
        : base(nameof(TransformerBlock))
    {
        onlyCrossAttention = options.OnlyCrossAttention;
        int headWidth = channels / options.Heads;
        norm1 = ShapeOnly.LayerNorm(channels, NormEps);
        attn1 = new Attention(channels, options.Heads, headWidth, onlyCrossAttention ? options.ContextWidth : null);
        norm2 = ShapeOnly.LayerNorm(channels, NormEps);
        attn2 = new Attention(channels, options.Heads, headWidth, options.ContextWidth);
        norm3 = ShapeOnly.LayerNorm(channels, NormEps);
        ff = new FeedForward(channels);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor context)
    {
        using var scope = NewDisposeScope();

        var h = attn1.call(norm1.call(x), onlyCrossAttention ? context : null).add_(x);
        h = attn2.call(norm2.call(h), context).add_(h);
        h = ff.call(norm3.call(h)).add_(h);
        return scope.MoveToOuter(h);
    }
}

/// <summary>The feed-forward network: four times wider inside, gated by GELU (Shazeer 2020, arXiv:2002.05202).</summary>
internal sealed class FeedForward : Module<Tensor, Tensor>
{
    private const int Expansion = 4;

    private readonly ModuleList<Module<Tensor, Tensor>> net;

    public FeedForward(int channels)
        : base(nameof(FeedForward))
    {
        // Entry 1 is the reference's dropout, which holds no weights.
        net = new ModuleList<Module<Tensor, Tensor>>(
            new GatedGelu(channels, Expansion * channels), Identity(), ShapeOnly.Linear(Expansion * channels, channels));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var gated = net[0].call(x);
        return net[2].call(gated);
    }
}

/// <summary>One projection, half of it multiplied by the GELU of the other half.</summary>
internal sealed class GatedGelu : Module<Tensor, Tensor>
{
    private readonly Linear proj;

    public GatedGelu(int inputs, int outputs)
        : base(nameof(GatedGelu))
    {
        proj = ShapeOnly.Linear(inputs, 2 * outputs);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var halves = proj.call(x).chunk(2, dim: -1);
        return scope.MoveToOuter(functional.gelu(halves[1]).mul_(halves[0]));
    }
}
