using System.Text.Json;
using Fleet.Diffusion.Layers;
using Fleet.Diffusion.Weights;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Models;

// The denoising network of Stable Diffusion 1.x and 2.x: Rombach et al. 2022 (arXiv:2112.10752).
// Reference: diffusers models/unets/unet_2d_condition.py and unet_2d_blocks.py.
//
//   sample ─ conv_in ─ down_blocks ─ mid_block ─ up_blocks ─ conv_norm_out ─ conv_out ─ prediction
//                           └─────── skips ───────┘
//
// b batch, c channels, h w latent height and width, m text tokens, t time-embedding width

/// <summary>The architecture, from <c>unet/config.json</c>. Lists hold one entry per level, from the largest picture down.</summary>
public sealed record UNet2DConditionConfig
{
    private static readonly string[] TrainingNotes =
        ["decay", "inv_gamma", "min_decay", "optimization_step", "power", "update_after_step", "use_ema_warmup"];

    private UNet2DConditionConfig()
    {
    }

    /// <summary>Channels of the input: 4; 9 for inpainting (latents, mask, masked picture's latents).</summary>
    public required int InChannels { get; init; }

    /// <summary>Channels of the prediction.</summary>
    public required int OutChannels { get; init; }

    /// <summary>Channels of each level.</summary>
    public required IReadOnlyList<int> BlockOutChannels { get; init; }

    /// <summary>Width of the text embeddings.</summary>
    public required int CrossAttentionDim { get; init; }

    /// <summary>Width of the embedded guidance scale that a distilled model (LCM) takes, else null.</summary>
    public required int? TimeCondProjDim { get; init; }

    internal bool CenterInputSample { get; init; }

    internal bool FlipSinToCos { get; init; }

    internal double FreqShift { get; init; }

    internal IReadOnlyList<bool> DownHasAttention { get; init; } = [];

    internal bool HasMid { get; init; }

    internal bool MidHasAttention { get; init; }

    internal IReadOnlyList<bool> UpHasAttention { get; init; } = [];

    internal IReadOnlyList<bool> OnlyCrossAttention { get; init; } = [];

    internal IReadOnlyList<int> LayersPerBlock { get; init; } = [];

    internal int DownsamplePadding { get; init; }

    internal double MidBlockScaleFactor { get; init; }

    internal Activation Activation { get; init; } = Activation.Silu;

    internal int NormNumGroups { get; init; }

    internal double NormEps { get; init; }

    internal IReadOnlyList<int> TransformerLayers { get; init; } = [];

    internal IReadOnlyList<int> UpTransformerLayers { get; init; } = [];

    internal IReadOnlyList<int> Heads { get; init; } = [];

    internal bool UseLinearProjection { get; init; }

    internal bool TimeScaleShift { get; init; }

    internal int TimeEmbeddingDim { get; init; }

    internal Activation? TimeEmbeddingActivation { get; init; }

    internal Activation? TimestepPostActivation { get; init; }

    internal int ConvInKernel { get; init; }

    internal int ConvOutKernel { get; init; }

    /// <summary>Reads a config; defaults are the reference's.</summary>
    /// <exception cref="CheckpointException">An option, named with its value, is not supported.</exception>
    public static UNet2DConditionConfig Parse(JsonElement json, string component = "unet")
    {
        var read = new ConfigReader(component, json);
        RefuseOtherFamilies(read);

        var channels = read.Ints("block_out_channels", [320, 640, 1280, 1280]);
        int levels = channels.Count;
        var contextWidths = read.IntPerLevel("cross_attention_dim", levels, 1280);
        if (contextWidths.Distinct().Count() > 1)
        {
            throw read.Unsupported("cross_attention_dim", $"[{string.Join(", ", contextWidths)}]", "one width for all levels");
        }

        var down = read.Texts("down_block_types", ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]);
        var up = read.Texts("up_block_types", ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]);
        string? mid = read.TextOrNull("mid_block_type", "UNetMidBlock2DCrossAttn");
        var transformerLayers = read.IntPerLevel("transformer_layers_per_block", levels, 1);
        var upTransformerLayers = read.Ints("reverse_transformer_layers_per_block", [.. transformerLayers.Reverse()]);
        if (upTransformerLayers.Count != levels)
        {
            throw read.Unsupported("reverse_transformer_layers_per_block", $"[{string.Join(", ", upTransformerLayers)}]", $"a list of {levels}");
        }

        var config = new UNet2DConditionConfig
        {
            InChannels = read.Int("in_channels", 4),
            OutChannels = read.Int("out_channels", 4),
            BlockOutChannels = channels,
            CrossAttentionDim = contextWidths[0],
            TimeCondProjDim = read.IntOrNull("time_cond_proj_dim"),
            CenterInputSample = read.Bool("center_input_sample", false),
            FlipSinToCos = read.Bool("flip_sin_to_cos", true),
            FreqShift = read.Double("freq_shift", 0),
            DownHasAttention = HasAttention(read, "down_block_types", down, levels, "DownBlock2D", "CrossAttnDownBlock2D"),
            HasMid = mid is not null,
            MidHasAttention = mid == "UNetMidBlock2DCrossAttn",
            UpHasAttention = HasAttention(read, "up_block_types", up, levels, "UpBlock2D", "CrossAttnUpBlock2D"),
            OnlyCrossAttention = read.BoolPerLevel("only_cross_attention", levels, false),
            LayersPerBlock = read.IntPerLevel("layers_per_block", levels, 2),
            DownsamplePadding = read.Int("downsample_padding", 1),
            MidBlockScaleFactor = read.Double("mid_block_scale_factor", 1),
            Activation = ActivationOf(read, "act_fn", "silu")!,
            NormNumGroups = read.Int("norm_num_groups", 32),
            NormEps = read.Double("norm_eps", 1e-5),
            TransformerLayers = transformerLayers,
            UpTransformerLayers = upTransformerLayers,
            Heads = read.IntPerLevel("attention_head_dim", levels, 8), // the number of heads; the name is an old mistake of the format
            UseLinearProjection = read.Bool("use_linear_projection", false),
            TimeScaleShift = read.Text("resnet_time_scale_shift", "default") == "scale_shift",
            TimeEmbeddingDim = read.Int("time_embedding_dim", 4 * channels[0]),
            TimeEmbeddingActivation = ActivationOf(read, "time_embedding_act_fn", null),
            TimestepPostActivation = ActivationOf(read, "timestep_post_act", null),
            ConvInKernel = read.Int("conv_in_kernel", 3),
            ConvOutKernel = read.Int("conv_out_kernel", 3),
        };
        read.RefuseUnknown();
        return config;
    }

    private static void RefuseOtherFamilies(ConfigReader read)
    {
        read.Require("_class_name", "UNet2DConditionModel");
        read.Require("mid_block_type", "UNetMidBlock2DCrossAttn", "UNetMidBlock2D");
        read.Require("resnet_time_scale_shift", "default", "scale_shift");
        read.Require("time_embedding_type", "positional");
        read.Require("attention_type", "default");
        read.Require("dual_cross_attention", false);
        read.Require("class_embeddings_concat", false);
        read.Require("resnet_skip_time_act", false);
        read.Require("resnet_out_scale_factor", 1.0, 1);
        read.Require("mid_block_only_cross_attention", false);
        string[] absent =
        [
            "num_attention_heads", "class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type",
            "cross_attention_norm",
        ];
        foreach (string option in absent)
        {
            read.Require<string>(option);
        }

        // Attention scores are always accumulated in float32, so upcast_attention asks for nothing more.
        read.Ignore("upcast_attention", "sample_size", "dropout");
        read.Ignore("addition_embed_type_num_heads", "addition_time_embed_dim", "projection_class_embeddings_input_dim");
        read.Ignore(TrainingNotes);
    }

    private static IReadOnlyList<bool> HasAttention(
        ConfigReader read, string option, IReadOnlyList<string> types, int levels, string plain, string withAttention)
    {
        if (types.Count != levels || types.Any(type => type != plain && type != withAttention))
        {
            throw read.Unsupported(option, $"[{string.Join(", ", types)}]", $"a list of {levels} (as block_out_channels has) of {plain} or {withAttention}");
        }

        return [.. types.Select(type => type == withAttention)];
    }

    private static Activation? ActivationOf(ConfigReader read, string option, string? fallback)
    {
        string? name = read.TextOrNull(option, fallback);
        if (name is not null && !Activation.Names.Contains(name))
        {
            throw read.Unsupported(option, name, string.Join(" or ", Activation.Names));
        }

        return name is null ? null : Activation.Named(name);
    }
}

/// <summary>Predicts the noise (or velocity, or picture: the scheduler's config says which) of noisy latents, given a text.</summary>
public sealed class UNet2DConditionModel : Module<Tensor, Tensor, Tensor, Tensor?, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly Timesteps time_proj;
    private readonly TimestepEmbedding time_embedding;
    private readonly ModuleList<DownBlock> down_blocks;
    private readonly MidBlock? mid_block;
    private readonly ModuleList<UpBlock> up_blocks;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;

    internal UNet2DConditionModel(UNet2DConditionConfig config)
        : base(nameof(UNet2DConditionModel))
    {
        Config = config;
        var channels = config.BlockOutChannels;
        int last = channels.Count - 1;

        conv_in = ShapeOnly.Conv2d(config.InChannels, channels[0], config.ConvInKernel, padding: (config.ConvInKernel - 1) / 2);
        time_proj = new Timesteps(channels[0], config.FlipSinToCos, config.FreqShift);
        time_embedding = new TimestepEmbedding(
            channels[0], config.TimeEmbeddingDim, config.Activation, config.TimestepPostActivation, config.TimeCondProjDim);
        down_blocks = new ModuleList<DownBlock>([.. Enumerable.Range(0, channels.Count).Select(level => new DownBlock(config, level))]);
        mid_block = config.HasMid ? new MidBlock(config) : null;
        up_blocks = new ModuleList<UpBlock>([.. Enumerable.Range(0, channels.Count).Select(i => new UpBlock(config, last - i))]);
        conv_norm_out = ShapeOnly.GroupNorm(config.NormNumGroups, channels[0], config.NormEps);
        conv_out = ShapeOnly.Conv2d(channels[0], config.OutChannels, config.ConvOutKernel, padding: (config.ConvOutKernel - 1) / 2);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public UNet2DConditionConfig Config { get; }

    /// <summary>Loads the network; weights are views of the mapped files where the dtype allows.</summary>
    /// <param name="checkpoint">May be disposed afterwards.</param>
    /// <param name="component">Folder of the component.</param>
    /// <param name="device">Where it computes; the CPU by default.</param>
    /// <param name="dtype">What it computes in; float32 by default.</param>
    /// <exception cref="CheckpointException">The component is missing, of another family, or its weights do not fit its config.</exception>
    public static UNet2DConditionModel Load(Checkpoint checkpoint, string component = "unet", Device? device = null, ScalarType? dtype = null)
    {
        var config = UNet2DConditionConfig.Parse(checkpoint.Config(component), component);
        return checkpoint.Fill(component, new UNet2DConditionModel(config), device, dtype);
    }

    /// <summary>One call of the network.</summary>
    /// <param name="sample">(b, c, h, w)</param>
    /// <param name="timesteps">(b), (1) or a scalar; whole or fractional</param>
    /// <param name="embeddings">(b, m, width) of the text</param>
    /// <param name="timestepCond">(b, width) of the guidance scale, for distilled models</param>
    /// <returns>(b, c, h, w)</returns>
    public override Tensor forward(Tensor sample, Tensor timesteps, Tensor embeddings, Tensor? timestepCond = null)
    {
        RequireShapes(sample, embeddings, timestepCond);
        using var scope = NewDisposeScope();

        var time = time_embedding.call(time_proj.call(timesteps.expand(sample.shape[0])).to(sample.dtype), timestepCond);   // (b, t)
        time = Config.TimeEmbeddingActivation?.InPlace(time) ?? time;

        var x = conv_in.call(Config.CenterInputSample ? sample * 2 - 1 : sample);
        var skips = new Stack<Tensor>([x]);
        foreach (var block in down_blocks)
        {
            foreach (var skip in block.call(x, time, embeddings))
            {
                skips.Push(skip);
            }

            x = skips.Peek();
        }

        x = mid_block?.call(x, time, embeddings) ?? x;
        foreach (var block in up_blocks)
        {
            Tensor[] own = [.. Enumerable.Range(0, block.SkipCount).Select(_ => skips.Pop())];
            x = block.call(x, own, time, embeddings, skips.TryPeek(out var next) ? (next.shape[2], next.shape[3]) : default);
        }

        return scope.MoveToOuter(conv_out.call(Config.Activation.InPlace(conv_norm_out.call(x))));
    }

    private void RequireShapes(Tensor sample, Tensor embeddings, Tensor? timestepCond)
    {
        if (sample.dim() != 4 || sample.shape[1] != Config.InChannels)
        {
            throw new ArgumentException($"The sample is [{string.Join(", ", sample.shape)}]; (batch, {Config.InChannels}, height, width) is needed.", nameof(sample));
        }

        if (embeddings.dim() != 3 || embeddings.shape[0] != sample.shape[0] || embeddings.shape[2] != Config.CrossAttentionDim)
        {
            throw new ArgumentException(
                $"The embeddings are [{string.Join(", ", embeddings.shape)}]; ({sample.shape[0]}, tokens, {Config.CrossAttentionDim}) is needed.", nameof(embeddings));
        }

        if (timestepCond is not null && timestepCond.shape[^1] != Config.TimeCondProjDim)
        {
            string needed = Config.TimeCondProjDim is { } width ? $"(batch, {width}) is needed" : "this network takes none";
            throw new ArgumentException($"The timestep condition is [{string.Join(", ", timestepCond.shape)}]; {needed}.", nameof(timestepCond));
        }
    }
}

/// <summary>One level on the way down: residual blocks, each with a transformer where the level has attention, then half the size.</summary>
internal sealed class DownBlock : Module<Tensor, Tensor, Tensor, Tensor[]>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<SpatialTransformer>? attentions;
    private readonly ModuleList<Downsampler>? downsamplers;

    public DownBlock(UNet2DConditionConfig config, int level)
        : base(nameof(DownBlock))
    {
        int outputs = config.BlockOutChannels[level];
        int inputs = config.BlockOutChannels[Math.Max(level - 1, 0)];
        int layers = config.LayersPerBlock[level];
        resnets = new ModuleList<ResnetBlock>(
            [.. Enumerable.Range(0, layers).Select(i => new ResnetBlock(i == 0 ? inputs : outputs, outputs, UNetParts.Resnet(config)))]);
        attentions = config.DownHasAttention[level]
            ? UNetParts.Transformers(config, level, layers, config.TransformerLayers[level], config.OnlyCrossAttention[level])
            : null;
        downsamplers = level < config.BlockOutChannels.Count - 1
            ? new ModuleList<Downsampler>(new Downsampler(outputs, config.DownsamplePadding))
            : null;
        RegisterComponents();
    }

    /// <returns>What each layer hands to the way up; the last is also the input of the next level.</returns>
    public override Tensor[] forward(Tensor x, Tensor time, Tensor context)
    {
        using var scope = NewDisposeScope();

        var skips = new List<Tensor>();
        for (int i = 0; i < resnets.Count; i++)
        {
            x = resnets[i].call(x, time);
            x = attentions?[i].call(x, context) ?? x;
            skips.Add(x);
        }

        if (downsamplers is not null)
        {
            skips.Add(downsamplers[0].call(x));   // (b, c, h/2, w/2), rounded up
        }

        scope.MoveToOuter(skips);
        return [.. skips];
    }
}

/// <summary>The smallest level: a residual block, and where the network has attention here, a transformer and a second one.</summary>
internal sealed class MidBlock : Module<Tensor, Tensor, Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<SpatialTransformer>? attentions;

    public MidBlock(UNet2DConditionConfig config)
        : base(nameof(MidBlock))
    {
        int last = config.BlockOutChannels.Count - 1;
        int channels = config.BlockOutChannels[last];
        resnets = new ModuleList<ResnetBlock>(
            [.. Enumerable.Range(0, config.MidHasAttention ? 2 : 1)
                .Select(_ => new ResnetBlock(channels, channels, UNetParts.Resnet(config), config.MidBlockScaleFactor))]);
        attentions = config.MidHasAttention
            ? UNetParts.Transformers(config, last, count: 1, config.TransformerLayers[last], onlyCrossAttention: false)
            : null;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor time, Tensor context)
    {
        using var scope = NewDisposeScope();

        x = resnets[0].call(x, time);
        if (attentions is not null)
        {
            x = resnets[1].call(attentions[0].call(x, context), time);
        }

        return scope.MoveToOuter(x);
    }
}

/// <summary>One level on the way up: as on the way down with one layer more, each joined by a skip, then the next level's size.</summary>
internal sealed class UpBlock : Module<Tensor, Tensor[], Tensor, Tensor, (long Height, long Width), Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<SpatialTransformer>? attentions;
    private readonly ModuleList<Upsampler>? upsamplers;

    public UpBlock(UNet2DConditionConfig config, int level)
        : base(nameof(UpBlock))
    {
        int last = config.BlockOutChannels.Count - 1;
        int outputs = config.BlockOutChannels[level];
        int below = config.BlockOutChannels[Math.Min(level + 1, last)];
        int above = config.BlockOutChannels[Math.Max(level - 1, 0)];
        int layers = config.LayersPerBlock[level] + 1;
        resnets = new ModuleList<ResnetBlock>(
            [.. Enumerable.Range(0, layers).Select(i => new ResnetBlock(
                (i == 0 ? below : outputs) + (i == layers - 1 ? above : outputs), outputs, UNetParts.Resnet(config)))]);
        attentions = config.UpHasAttention[last - level]
            ? UNetParts.Transformers(config, level, layers, config.UpTransformerLayers[last - level], config.OnlyCrossAttention[level])
            : null;
        upsamplers = level > 0 ? new ModuleList<Upsampler>(new Upsampler(outputs)) : null;
        RegisterComponents();
    }

    /// <summary>How many skips one call takes.</summary>
    public int SkipCount => resnets.Count;

    /// <param name="x">(b, c, h, w)</param>
    /// <param name="skips">In the order in which they are joined, the smallest picture first.</param>
    /// <param name="time">(b, t)</param>
    /// <param name="context">(b, m, width)</param>
    /// <param name="nextSize">Size of the next level's skips: twice this one, or one less where halving rounded up.</param>
    public override Tensor forward(Tensor x, Tensor[] skips, Tensor time, Tensor context, (long Height, long Width) nextSize)
    {
        using var scope = NewDisposeScope();

        for (int i = 0; i < resnets.Count; i++)
        {
            using var joined = cat([x, skips[i]], dim: 1);
            x = resnets[i].call(joined, time);
            x = attentions?[i].call(x, context) ?? x;
        }

        return scope.MoveToOuter(upsamplers?[0].call(x, nextSize) ?? x);
    }
}

internal static class UNetParts
{
    public static ResnetOptions Resnet(UNet2DConditionConfig config) =>
        new(config.NormNumGroups, config.NormEps, config.Activation, config.TimeEmbeddingDim, config.TimeScaleShift);

    public static ModuleList<SpatialTransformer> Transformers(
        UNet2DConditionConfig config, int level, int count, int layers, bool onlyCrossAttention)
    {
        var options = new TransformerOptions(
            config.Heads[level], layers, config.CrossAttentionDim, config.UseLinearProjection, onlyCrossAttention);
        return new ModuleList<SpatialTransformer>(
            [.. Enumerable.Range(0, count).Select(_ => new SpatialTransformer(config.BlockOutChannels[level], config.NormNumGroups, options))]);
    }
}
