using System.Text.Json;
using Fleet.Diffusion.Layers;
using Fleet.Diffusion.Weights;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Models;

// The text half of CLIP: Radford et al. 2021 (arXiv:2103.00020), and OpenCLIP's (arXiv:2212.07143), which differs by the GELU.
// Reference: transformers models/clip/modeling_clip.py, CLIPTextModel and CLIPTextModelWithProjection.
//
// b batch, n tokens (77), d width, k heads

/// <summary>The architecture, from <c>text_encoder/config.json</c>.</summary>
public sealed record ClipTextConfig
{
    private ClipTextConfig()
    {
    }

    /// <summary>Entries of the vocabulary.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Width of the embeddings.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>The most tokens of a text, special tokens included: 77.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>Transformer layers.</summary>
    public required int NumHiddenLayers { get; init; }

    /// <summary>Width of the projected pooled embedding, or null for a model without projection.</summary>
    public required int? ProjectionDim { get; init; }

    internal int IntermediateSize { get; init; }

    internal int NumAttentionHeads { get; init; }

    internal Activation Activation { get; init; } = Activation.Silu;

    internal double LayerNormEps { get; init; }

    internal int EosTokenId { get; init; }

    /// <summary>Reads a config; defaults are the reference's.</summary>
    /// <exception cref="CheckpointException">An option, named with its value, is not supported.</exception>
    public static ClipTextConfig Parse(JsonElement json, string component = "text_encoder")
    {
        // The file carries dozens of settings that every transformers model has and that say nothing about this one, so what
        // matters is read and the rest is left alone.
        var read = new ConfigReader(component, json);
        read.Require("model_type", "clip_text_model");
        var architectures = read.Texts("architectures", ["CLIPTextModel"]);
        if (architectures is not ["CLIPTextModel" or "CLIPTextModelWithProjection"])
        {
            throw read.Unsupported("architectures", $"[{string.Join(", ", architectures)}]", "CLIPTextModel or CLIPTextModelWithProjection");
        }

        string activation = read.Text("hidden_act", "quick_gelu");
        if (!Activation.Names.Contains(activation))
        {
            throw read.Unsupported("hidden_act", activation, string.Join(" or ", Activation.Names));
        }

        return new ClipTextConfig
        {
            VocabSize = read.Int("vocab_size", 49408),
            HiddenSize = read.Int("hidden_size", 512),
            MaxPositionEmbeddings = read.Int("max_position_embeddings", 77),
            NumHiddenLayers = read.Int("num_hidden_layers", 12),
            ProjectionDim = architectures[0] == "CLIPTextModelWithProjection" ? read.Int("projection_dim", 512) : null,
            IntermediateSize = read.Int("intermediate_size", 2048),
            NumAttentionHeads = read.Int("num_attention_heads", 8),
            Activation = Activation.Named(activation),
            LayerNormEps = read.Double("layer_norm_eps", 1e-5),
            EosTokenId = read.Int("eos_token_id", 49407),
        };
    }
}

/// <summary>Turns token ids into the embeddings that a denoiser looks at.</summary>
public sealed class ClipTextModel : Module
{
    private readonly ClipTextTransformer text_model;
    private readonly Linear? text_projection;

    internal ClipTextModel(ClipTextConfig config)
        : base(nameof(ClipTextModel))
    {
        Config = config;
        text_model = new ClipTextTransformer(config);
        text_projection = config.ProjectionDim is { } width ? ShapeOnly.Linear(config.HiddenSize, width, bias: false) : null;
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public ClipTextConfig Config { get; }

    /// <summary>Loads the text encoder; weights are views of the mapped files where the dtype allows.</summary>
    /// <param name="checkpoint">May be disposed afterwards.</param>
    /// <param name="component">Folder of the component.</param>
    /// <param name="device">Where it computes; the CPU by default.</param>
    /// <param name="dtype">What it computes in; float32 by default.</param>
    /// <exception cref="CheckpointException">The component is missing, of another family, or its weights do not fit its config.</exception>
    public static ClipTextModel Load(Checkpoint checkpoint, string component = "text_encoder", Device? device = null, ScalarType? dtype = null)
    {
        var config = ClipTextConfig.Parse(checkpoint.Config(component), component);
        return checkpoint.Fill(component, new ClipTextModel(config), device, dtype);
    }

    /// <summary>The embeddings of a text: the output of the last layer but <paramref name="clipSkip"/>, after the final norm.</summary>
    /// <param name="inputIds">(b, n) int64 with start and end tokens</param>
    /// <param name="clipSkip">Layers left out at the end, from 0 to one less than there are.</param>
    /// <param name="attentionMask">(b, n), 1 for tokens to look at and 0 for padding; null looks at all, as Stable Diffusion does</param>
    /// <returns>(b, n, d)</returns>
    public Tensor Encode(Tensor inputIds, int clipSkip = 0, Tensor? attentionMask = null)
    {
        if (clipSkip < 0 || clipSkip >= Config.NumHiddenLayers)
        {
            throw new ArgumentOutOfRangeException(nameof(clipSkip), clipSkip, $"0 to {Config.NumHiddenLayers - 1} layers can be left out.");
        }

        using var scope = NewDisposeScope();
        var states = HiddenStates(inputIds, attentionMask, Config.NumHiddenLayers - clipSkip);
        return scope.MoveToOuter(text_model.final_layer_norm.call(states[^1]));
    }

    /// <summary>What enters the first layer and what each layer puts out, before the final norm.</summary>
    /// <param name="inputIds">(b, n) int64</param>
    /// <param name="attentionMask">(b, n) or null</param>
    /// <returns>One more than there are layers, (b, n, d) each</returns>
    public IReadOnlyList<Tensor> HiddenStates(Tensor inputIds, Tensor? attentionMask = null) =>
        HiddenStates(inputIds, attentionMask, Config.NumHiddenLayers);

    /// <summary>The embedding of a whole text: that of its end token, projected where the model has a projection.</summary>
    /// <param name="lastHiddenState">(b, n, d) of <see cref="Encode"/> with no layer left out</param>
    /// <param name="inputIds">(b, n) int64</param>
    /// <returns>(b, d), or (b, projection)</returns>
    public Tensor Pool(Tensor lastHiddenState, Tensor inputIds)
    {
        using var scope = NewDisposeScope();

        // Configs written before the end token's id was right say 2; there the end token is the highest id of the text.
        var end = Config.EosTokenId == 2 ? inputIds.argmax(-1) : inputIds.eq(Config.EosTokenId).to(ScalarType.Int32).argmax(-1);   // (b)
        var index = end.view(-1, 1, 1).expand(-1, 1, lastHiddenState.shape[2]);
        var pooled = lastHiddenState.gather(1, index).squeeze(1);
        return scope.MoveToOuter(text_projection?.call(pooled) ?? pooled);
    }

    private IReadOnlyList<Tensor> HiddenStates(Tensor inputIds, Tensor? attentionMask, int layers)
    {
        if (inputIds.dim() != 2 || inputIds.shape[1] > Config.MaxPositionEmbeddings)
        {
            throw new ArgumentException(
                $"The token ids are [{string.Join(", ", inputIds.shape)}]; (batch, up to {Config.MaxPositionEmbeddings}) is needed.", nameof(inputIds));
        }

        return text_model.HiddenStates(inputIds, attentionMask, layers);
    }
}

internal sealed class ClipTextTransformer : Module
{
    public readonly LayerNorm final_layer_norm;

    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;

    public ClipTextTransformer(ClipTextConfig config)
        : base(nameof(ClipTextTransformer))
    {
        embeddings = new ClipTextEmbeddings(config);
        encoder = new ClipEncoder(config);
        final_layer_norm = ShapeOnly.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    public IReadOnlyList<Tensor> HiddenStates(Tensor inputIds, Tensor? attentionMask, int layers)
    {
        using var scope = NewDisposeScope();

        var mask = attentionMask is null ? null : CausalMask(attentionMask);
        List<Tensor> states = [embeddings.call(inputIds)];   // (b, n, d)
        foreach (var layer in encoder.layers.Take(layers))
        {
            states.Add(layer.call(states[^1], mask));
        }

        scope.MoveToOuter(states);
        return states;
    }

    // true where a token (row) may look at another (column): not at later ones, not at padding. (b, 1, n, n)
    private static Tensor CausalMask(Tensor attentionMask)
    {
        using var scope = NewDisposeScope();
        long tokens = attentionMask.shape[1];
        var causal = ones([tokens, tokens], ScalarType.Bool, attentionMask.device).tril();
        return scope.MoveToOuter(causal.logical_and(attentionMask.to(ScalarType.Bool).view(-1, 1, 1, tokens)));
    }
}

internal sealed class ClipTextEmbeddings : Module<Tensor, Tensor>
{
    private readonly Embedding token_embedding;
    private readonly Embedding position_embedding;

    public ClipTextEmbeddings(ClipTextConfig config)
        : base(nameof(ClipTextEmbeddings))
    {
        token_embedding = ShapeOnly.Embedding(config.VocabSize, config.HiddenSize);
        position_embedding = ShapeOnly.Embedding(config.MaxPositionEmbeddings, config.HiddenSize);
        RegisterComponents();
    }

    public override Tensor forward(Tensor inputIds)
    {
        using var scope = NewDisposeScope();
        var positions = arange(inputIds.shape[1], ScalarType.Int64, inputIds.device);
        return scope.MoveToOuter(token_embedding.call(inputIds) + position_embedding.call(positions));
    }
}

internal sealed class ClipEncoder : Module
{
    public readonly ModuleList<ClipEncoderLayer> layers;

    public ClipEncoder(ClipTextConfig config)
        : base(nameof(ClipEncoder))
    {
        layers = new ModuleList<ClipEncoderLayer>([.. Enumerable.Range(0, config.NumHiddenLayers).Select(_ => new ClipEncoderLayer(config))]);
        RegisterComponents();
    }
}

/// <summary>Attention and a feed-forward network, each normed before and added to its input.</summary>
internal sealed class ClipEncoderLayer : Module<Tensor, Tensor?, Tensor>
{
    private readonly LayerNorm layer_norm1;
    private readonly ClipAttention self_attn;
    private readonly LayerNorm layer_norm2;
    private readonly ClipMlp mlp;

    public ClipEncoderLayer(ClipTextConfig config)
        : base(nameof(ClipEncoderLayer))
    {
        layer_norm1 = ShapeOnly.LayerNorm(config.HiddenSize, config.LayerNormEps);
        self_attn = new ClipAttention(config);
        layer_norm2 = ShapeOnly.LayerNorm(config.HiddenSize, config.LayerNormEps);
        mlp = new ClipMlp(config);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        var h = self_attn.call(layer_norm1.call(x), mask).add_(x);
        return scope.MoveToOuter(mlp.call(layer_norm2.call(h)).add_(h));
    }
}

internal sealed class ClipAttention : Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear q_proj;
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear out_proj;
    private readonly int heads;

    public ClipAttention(ClipTextConfig config)
        : base(nameof(ClipAttention))
    {
        heads = config.NumAttentionHeads;
        q_proj = ShapeOnly.Linear(config.HiddenSize, config.HiddenSize);
        k_proj = ShapeOnly.Linear(config.HiddenSize, config.HiddenSize);
        v_proj = ShapeOnly.Linear(config.HiddenSize, config.HiddenSize);
        out_proj = ShapeOnly.Linear(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="x">(b, n, d)</param>
    /// <param name="mask">(b, 1, n, n), true where a token may look; null: at itself and all before it</param>
    public override Tensor forward(Tensor x, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        var attended = functional.scaled_dot_product_attention(
            SplitHeads(q_proj.call(x)), SplitHeads(k_proj.call(x)), SplitHeads(v_proj.call(x)), mask, is_casual: mask is null);   // (b, k, n, d/k)
        return scope.MoveToOuter(out_proj.call(attended.transpose(1, 2).flatten(2)));                                             // (b, n, d)
    }

    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2);
}

internal sealed class ClipMlp : Module<Tensor, Tensor>
{
    private readonly Linear fc1;
    private readonly Linear fc2;
    private readonly Activation activation;

    public ClipMlp(ClipTextConfig config)
        : base(nameof(ClipMlp))
    {
        activation = config.Activation;
        fc1 = ShapeOnly.Linear(config.HiddenSize, config.IntermediateSize);
        fc2 = ShapeOnly.Linear(config.IntermediateSize, config.HiddenSize);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(fc2.call(activation.InPlace(fc1.call(x))));
    }
}
