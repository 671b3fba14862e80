using System.Text.Json;
using Fleet.Diffusion.Layers;
using Fleet.Diffusion.Weights;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Models;

// The autoencoder between pictures and latents: Rombach et al. 2022 (arXiv:2112.10752), appendix G.
// Reference: diffusers models/autoencoders/autoencoder_kl.py and vae.py.
//
// b batch, c channels, H W picture height and width, h w latent height and width, z latent channels

/// <summary>The architecture, from <c>vae/config.json</c>.</summary>
public sealed record AutoencoderKLConfig
{
    private AutoencoderKLConfig()
    {
    }

    /// <summary>Channels of a picture: 3.</summary>
    public required int InChannels { get; init; }

    /// <summary>Channels of the latents: 4, or 16 in newer families.</summary>
    public required int LatentChannels { get; init; }

    /// <summary>Latents are multiplied by it on their way to the denoiser and divided by it before decoding.</summary>
    public required double ScalingFactor { get; init; }

    /// <summary>Subtracted from latents before they are scaled, added before decoding; 0 where the config has none.</summary>
    public required double ShiftFactor { get; init; }

    /// <summary>Pixels per latent on each side.</summary>
    public int ScaleFactor => 1 << (BlockOutChannels.Count - 1);

    /// <summary>The side of a tile in pixels: the size of the training pictures.</summary>
    public required int SampleSize { get; init; }

    /// <summary>Whether the publisher asks for float32 because activations leave float16's range. For whoever chooses the dtype.</summary>
    public required bool ForceUpcast { get; init; }

    internal int OutChannels { get; init; }

    internal IReadOnlyList<int> BlockOutChannels { get; init; } = [];

    internal int LayersPerBlock { get; init; }

    internal Activation Activation { get; init; } = Activation.Silu;

    internal int NormNumGroups { get; init; }

    internal bool MidHasAttention { get; init; }

    internal bool UseQuantConv { get; init; }

    internal bool UsePostQuantConv { get; init; }

    /// <summary>Reads a config; defaults are the reference's.</summary>
    /// <exception cref="CheckpointException">An option, named with its value, is not supported.</exception>
    public static AutoencoderKLConfig Parse(JsonElement json, string component = "vae")
    {
        var read = new ConfigReader(component, json);
        read.Require("_class_name", "AutoencoderKL");
        read.Require<double[]>("latents_mean");
        read.Require<double[]>("latents_std");

        var channels = read.Ints("block_out_channels", [64]);
        RequireTypes(read, "down_block_types", "DownEncoderBlock2D", channels.Count);
        RequireTypes(read, "up_block_types", "UpDecoderBlock2D", channels.Count);
        string activation = read.Text("act_fn", "silu");
        if (!Activation.Names.Contains(activation))
        {
            throw read.Unsupported("act_fn", activation, string.Join(" or ", Activation.Names));
        }

        var config = new AutoencoderKLConfig
        {
            InChannels = read.Int("in_channels", 3),
            OutChannels = read.Int("out_channels", 3),
            LatentChannels = read.Int("latent_channels", 4),
            ScalingFactor = read.Double("scaling_factor", 0.18215),
            ShiftFactor = read.Double("shift_factor", 0),
            SampleSize = read.IntPerLevel("sample_size", 2, 32)[0], // a number, or height and width
            ForceUpcast = read.Bool("force_upcast", true),
            BlockOutChannels = channels,
            LayersPerBlock = read.Int("layers_per_block", 1),
            Activation = Activation.Named(activation),
            NormNumGroups = read.Int("norm_num_groups", 32),
            MidHasAttention = read.Bool("mid_block_add_attention", true),
            UseQuantConv = read.Bool("use_quant_conv", true),
            UsePostQuantConv = read.Bool("use_post_quant_conv", true),
        };
        read.RefuseUnknown();
        return config;
    }

    private static void RequireTypes(ConfigReader read, string option, string type, int levels)
    {
        var types = read.Texts(option, [.. Enumerable.Repeat(type, levels)]);
        if (types.Count != levels || types.Any(t => t != type))
        {
            throw read.Unsupported(option, $"[{string.Join(", ", types)}]", $"a list of {levels} (as block_out_channels has) of {type}");
        }
    }
}

/// <summary>Encodes pictures into latents and decodes latents into pictures.</summary>
public sealed class AutoencoderKL : Module
{
    private const double TileOverlap = 0.25;

    private readonly Encoder encoder;
    private readonly Conv2d? quant_conv;
    private readonly Conv2d? post_quant_conv;
    private readonly Decoder decoder;

    internal AutoencoderKL(AutoencoderKLConfig config)
        : base(nameof(AutoencoderKL))
    {
        Config = config;
        encoder = new Encoder(config);
        quant_conv = config.UseQuantConv ? ShapeOnly.Conv2d(2 * config.LatentChannels, 2 * config.LatentChannels, 1) : null;
        post_quant_conv = config.UsePostQuantConv ? ShapeOnly.Conv2d(config.LatentChannels, config.LatentChannels, 1) : null;
        decoder = new Decoder(config);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public AutoencoderKLConfig Config { get; }

    /// <summary>Loads the autoencoder; weights are views of the mapped files where the dtype allows.</summary>
    /// <param name="checkpoint">May be disposed afterwards.</param>
    /// <param name="component">Folder of the component.</param>
    /// <param name="device">Where it computes; the CPU by default.</param>
    /// <param name="dtype">What it computes in; float32 by default.</param>
    /// <exception cref="CheckpointException">The component is missing, of another family, or its weights do not fit its config.</exception>
    public static AutoencoderKL Load(Checkpoint checkpoint, string component = "vae", Device? device = null, ScalarType? dtype = null)
    {
        var config = AutoencoderKLConfig.Parse(checkpoint.Config(component), component);
        return checkpoint.Fill(component, new AutoencoderKL(config), device, dtype);
    }

    /// <summary>A picture of latents.</summary>
    /// <param name="z">(b, z, h, w), already divided by the scaling factor and shifted back</param>
    /// <returns>(b, 3, H, W), nominally in [-1, 1], not clamped</returns>
    public Tensor Decode(Tensor z)
    {
        RequireChannels(z, Config.LatentChannels, nameof(z));
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(decoder.call(post_quant_conv?.call(z) ?? z));
    }

    /// <summary>As <see cref="Decode"/>, tile by tile with blended seams: memory stays that of one tile, the result differs a little.</summary>
    /// <param name="z">(b, z, h, w)</param>
    /// <param name="tileSize">The side of a tile in pixels; the training size by default.</param>
    public Tensor DecodeTiled(Tensor z, int? tileSize = null)
    {
        int pixels = tileSize ?? Config.SampleSize;
        return Tiled(z, pixels / Config.ScaleFactor, pixels, Decode);
    }

    /// <summary>The distribution of a picture's latents.</summary>
    /// <param name="image">(b, 3, H, W) in [-1, 1]</param>
    /// <returns>Mean and standard deviation, (b, z, h, w) each, before scaling</returns>
    public (Tensor Mean, Tensor Std) Encode(Tensor image)
    {
        using var moments = Moments(image);
        return Split(moments);
    }

    /// <summary>As <see cref="Encode"/>, tile by tile with blended seams.</summary>
    /// <param name="image">(b, 3, H, W) in [-1, 1]</param>
    /// <param name="tileSize">The side of a tile in pixels; the training size by default.</param>
    public (Tensor Mean, Tensor Std) EncodeTiled(Tensor image, int? tileSize = null)
    {
        int pixels = tileSize ?? Config.SampleSize;
        using var moments = Tiled(image, pixels, pixels / Config.ScaleFactor, Moments);
        return Split(moments);
    }

    /// <summary>The encoder's output: mean, then logarithm of the variance, not clamped.</summary>
    /// <param name="image">(b, 3, H, W) in [-1, 1]</param>
    /// <returns>(b, 2z, h, w)</returns>
    public Tensor Moments(Tensor image)
    {
        RequireChannels(image, Config.InChannels, nameof(image));
        using var scope = NewDisposeScope();
        var h = encoder.call(image);
        return scope.MoveToOuter(quant_conv?.call(h) ?? h);
    }

    private static (Tensor Mean, Tensor Std) Split(Tensor moments)
    {
        using var scope = NewDisposeScope();
        var halves = moments.chunk(2, dim: 1);
        return scope.MoveToOuter(halves[0].clone(), (halves[1].clamp(-30, 20) * 0.5).exp_());
    }

    // Tiles of `size` in, `outputSize` out, each starting three quarters of a tile after the one before. A quarter of a tile
    // is faded in over its neighbours, which were faded in themselves: the order, rows from the top, matters.
    private static Tensor Tiled(Tensor input, int size, int outputSize, Func<Tensor, Tensor> apply)
    {
        if (input.shape[2] <= size && input.shape[3] <= size)
        {
            return apply(input);
        }

        using var scope = NewDisposeScope();
        int stride = (int)(size * (1 - TileOverlap));
        int blend = (int)(outputSize * TileOverlap);
        int kept = outputSize - blend;
        var above = new List<Tensor>();
        var rows = new List<Tensor>();
        for (long y = 0; y < input.shape[2]; y += stride)
        {
            var row = new List<Tensor>();
            for (long x = 0; x < input.shape[3]; x += stride)
            {
                var tile = apply(input[.., .., (int)y..(int)Math.Min(y + size, input.shape[2]), (int)x..(int)Math.Min(x + size, input.shape[3])]);
                FadeIn(tile, rows.Count > 0 ? above[row.Count] : null, dim: 2, blend);
                FadeIn(tile, row.Count > 0 ? row[^1] : null, dim: 3, blend);
                row.Add(tile);
            }

            rows.Add(cat([.. row.Select(tile => tile[.., .., ..(int)Math.Min(kept, tile.shape[2]), ..(int)Math.Min(kept, tile.shape[3])])], dim: 3));
            above = row;
        }

        return scope.MoveToOuter(cat(rows, dim: 2));
    }

    // Over the first `extent` rows (dim 2) or columns (dim 3), weight i/extent for the tile and the rest for the neighbour's last ones.
    private static void FadeIn(Tensor tile, Tensor? neighbour, int dim, int extent)
    {
        if (neighbour is null)
        {
            return;
        }

        using var scope = NewDisposeScope();
        long length = Math.Min(extent, Math.Min(neighbour.shape[dim], tile.shape[dim]));
        var weight = (arange(length, ScalarType.Float32, tile.device) / length).to(tile.dtype);
        weight = dim == 2 ? weight.view(-1, 1) : weight;
        var start = tile.narrow(dim, 0, length);
        var end = neighbour.narrow(dim, neighbour.shape[dim] - length, length);
        start.copy_(end * (1 - weight) + start * weight);
    }

    private static void RequireChannels(Tensor tensor, int channels, string name)
    {
        if (tensor.dim() != 4 || tensor.shape[1] != channels)
        {
            throw new ArgumentException($"The tensor is [{string.Join(", ", tensor.shape)}]; (batch, {channels}, height, width) is needed.", name);
        }
    }
}

internal sealed class Encoder : Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly ModuleList<EncoderBlock> down_blocks;
    private readonly AutoencoderMidBlock mid_block;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;

    public Encoder(AutoencoderKLConfig config)
        : base(nameof(Encoder))
    {
        var channels = config.BlockOutChannels;
        conv_in = ShapeOnly.Conv2d(config.InChannels, channels[0], 3, padding: 1);
        down_blocks = new ModuleList<EncoderBlock>([.. Enumerable.Range(0, channels.Count).Select(level => new EncoderBlock(config, level))]);
        mid_block = new AutoencoderMidBlock(config);
        conv_norm_out = ShapeOnly.GroupNorm(config.NormNumGroups, channels[^1], AutoencoderParts.NormEps);
        conv_out = ShapeOnly.Conv2d(channels[^1], 2 * config.LatentChannels, 3, padding: 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor image)
    {
        using var scope = NewDisposeScope();
        var x = AutoencoderParts.Through(conv_in.call(image), down_blocks);
        x = mid_block.call(x);
        return scope.MoveToOuter(conv_out.call(conv_norm_out.call(x).silu_()));
    }
}

internal sealed class Decoder : Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly AutoencoderMidBlock mid_block;
    private readonly ModuleList<DecoderBlock> up_blocks;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;

    public Decoder(AutoencoderKLConfig config)
        : base(nameof(Decoder))
    {
        var channels = config.BlockOutChannels;
        int last = channels.Count - 1;
        conv_in = ShapeOnly.Conv2d(config.LatentChannels, channels[^1], 3, padding: 1);
        mid_block = new AutoencoderMidBlock(config);
        up_blocks = new ModuleList<DecoderBlock>([.. Enumerable.Range(0, channels.Count).Select(i => new DecoderBlock(config, last - i))]);
        conv_norm_out = ShapeOnly.GroupNorm(config.NormNumGroups, channels[0], AutoencoderParts.NormEps);
        conv_out = ShapeOnly.Conv2d(channels[0], config.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor z)
    {
        using var scope = NewDisposeScope();
        var x = AutoencoderParts.Through(mid_block.call(conv_in.call(z)), up_blocks);
        return scope.MoveToOuter(conv_out.call(conv_norm_out.call(x).silu_()));
    }
}

/// <summary>One level of the encoder: residual blocks, then half the size.</summary>
internal sealed class EncoderBlock : Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<Downsampler>? downsamplers;

    public EncoderBlock(AutoencoderKLConfig config, int level)
        : base(nameof(EncoderBlock))
    {
        int outputs = config.BlockOutChannels[level];
        int inputs = config.BlockOutChannels[Math.Max(level - 1, 0)];
        resnets = AutoencoderParts.Resnets(config, inputs, outputs, config.LayersPerBlock);
        downsamplers = level < config.BlockOutChannels.Count - 1 ? new ModuleList<Downsampler>(new Downsampler(outputs, padding: 0)) : null;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var h = AutoencoderParts.Through(x, resnets);
        return scope.MoveToOuter(downsamplers?[0].call(h) ?? h);
    }
}

/// <summary>One level of the decoder: one residual block more than the encoder's, then twice the size.</summary>
internal sealed class DecoderBlock : Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock> resnets;
    private readonly ModuleList<Upsampler>? upsamplers;

    public DecoderBlock(AutoencoderKLConfig config, int level)
        : base(nameof(DecoderBlock))
    {
        int outputs = config.BlockOutChannels[level];
        int inputs = config.BlockOutChannels[Math.Min(level + 1, config.BlockOutChannels.Count - 1)];
        resnets = AutoencoderParts.Resnets(config, inputs, outputs, config.LayersPerBlock + 1);
        upsamplers = level > 0 ? new ModuleList<Upsampler>(new Upsampler(outputs)) : null;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var h = AutoencoderParts.Through(x, resnets);
        return scope.MoveToOuter(upsamplers?[0].call(h, (2 * x.shape[2], 2 * x.shape[3])) ?? h);
    }
}

internal sealed class AutoencoderMidBlock : Module<Tensor, Tensor>
{
    private readonly ModuleList<SpatialSelfAttention>? attentions;
    private readonly ModuleList<ResnetBlock> resnets;

    public AutoencoderMidBlock(AutoencoderKLConfig config)
        : base(nameof(AutoencoderMidBlock))
    {
        int channels = config.BlockOutChannels[^1];
        attentions = config.MidHasAttention
            ? new ModuleList<SpatialSelfAttention>(new SpatialSelfAttention(channels, AutoencoderParts.Options(config)))
            : null;
        resnets = AutoencoderParts.Resnets(config, channels, channels, count: 2);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var h = resnets[0].call(x, null);
        h = attentions?[0].call(h) ?? h;
        return scope.MoveToOuter(resnets[1].call(h, null));
    }
}

internal static class AutoencoderParts
{
    public const double NormEps = 1e-6;

    public static ResnetOptions Options(AutoencoderKLConfig config) => new(config.NormNumGroups, NormEps, config.Activation);

    public static ModuleList<ResnetBlock> Resnets(AutoencoderKLConfig config, int inputs, int outputs, int count) =>
        new([.. Enumerable.Range(0, count).Select(i => new ResnetBlock(i == 0 ? inputs : outputs, outputs, Options(config)))]);

    public static Tensor Through(Tensor x, IEnumerable<Module<Tensor, Tensor>> blocks) => Chain(x, blocks, (block, h) => block.call(h));

    public static Tensor Through(Tensor x, IEnumerable<ResnetBlock> blocks) => Chain(x, blocks, (block, h) => block.call(h, null));

    // An activation at full size is up to 268 MB, so each is freed as soon as the next one is there.
    private static Tensor Chain<T>(Tensor input, IEnumerable<T> blocks, Func<T, Tensor, Tensor> call)
    {
        var x = input;
        foreach (var block in blocks)
        {
            var next = call(block, x);
            if (!ReferenceEquals(x, input))
            {
                x.Dispose();
            }

            x = next;
        }

        return x;
    }
}
