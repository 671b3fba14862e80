using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fleet.Diffusion.Models;
using Fleet.Safetensors;

namespace Fleet.Diffusion.Weights;

/// <summary>A tensor of a single file that a parameter's values are in: the whole of it, or one of equal parts of its rows.</summary>
public sealed record OriginalTensor(string Name, int Part = 0, int Parts = 1, bool Transposed = false)
{
    /// <summary>As in the golden key maps: <c>name</c>, <c>name[1/3]</c> or <c>name (transposed)</c>.</summary>
    public override string ToString() => Parts > 1 ? $"{Name}[{Part}/{Parts}]" : Transposed ? $"{Name} (transposed)" : Name;
}

/// <summary>
/// The original layout of Stable Diffusion 1.x and 2.x: one file, in which the network is a list of input, middle and output
/// blocks. Source: CompVis/latent-diffusion, ldm/modules/diffusionmodules/openaimodel.py and model.py.
/// </summary>
public static partial class SingleFileLayout
{
    private const string UNetPrefix = "model.diffusion_model.";
    private const string VaePrefix = "first_stage_model.";
    private const string TextPrefix = "cond_stage_model.";
    private const string ClipPrefix = "cond_stage_model.transformer.";
    private const string OpenClipPrefix = "cond_stage_model.model.";
    private const string OpenClipLayers = OpenClipPrefix + "transformer.resblocks.";

    private static readonly (string Diffusers, string Original)[] ResnetNames =
    [
        ("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"), ("norm2", "out_layers.0"),
        ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection"),
    ];

    private static readonly (string Diffusers, string Original)[] UNetNames =
    [
        ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
        ("time_embedding.cond_proj", "time_embed.cond_proj"), ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"), ("conv_out", "out.2"),
    ];

    private static readonly (string Diffusers, string Original)[] VaeAttentionNames =
        [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")];

    private static readonly (string Diffusers, string Original)[] OpenClipNames =
    [
        ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), ("self_attn.out_proj", "attn.out_proj"),
    ];

    /// <summary>The component that a tensor of a single file belongs to, or null: training leaves others behind.</summary>
    public static string? ComponentOf(string name) =>
        name.StartsWith(UNetPrefix, StringComparison.Ordinal) ? "unet"
        : name.StartsWith(VaePrefix, StringComparison.Ordinal) ? "vae"
        : name.StartsWith(TextPrefix, StringComparison.Ordinal) ? "text_encoder"
        : null;

    /// <summary>Gives for each parameter of a component, in diffusers' names, the tensor of the single file that holds it.</summary>
    /// <param name="component">"unet", "vae" or "text_encoder"</param>
    /// <param name="config">The component's config.json.</param>
    /// <param name="header">The file's header.</param>
    public static Func<string, OriginalTensor> Names(string component, JsonElement config, SafetensorsHeader header)
    {
        switch (component)
        {
            case "unet":
                var unet = UNet2DConditionConfig.Parse(config);
                return key => new OriginalTensor(UNetPrefix + UNetName(key, unet));
            case "vae":
                int levels = AutoencoderKLConfig.Parse(config).BlockOutChannels.Count;
                return key => new OriginalTensor(VaePrefix + VaeName(key, levels));
            case "text_encoder" when IsOpenClip(header):
                return OpenClipTensor;
            case "text_encoder":
                // Written by newer libraries, the text model's own prefix is gone.
                bool prefixed = header.Find($"{ClipPrefix}text_model.final_layer_norm.weight") is not null;
                return key => new OriginalTensor(ClipPrefix + (prefixed ? key : key.Replace("text_model.", "", StringComparison.Ordinal)));
            default:
                throw new CheckpointException($"A single file has no component '{component}'; it has unet, vae and text_encoder.");
        }
    }

    /// <summary>
    /// Configs for a file of the published SD 1.x or 2.x layout, from the shapes of its tensors: JSON by path, such as
    /// <c>unet/config.json</c>. Shapes do not tell velocity from noise prediction; for SD 2.x the scheduler config says velocity,
    /// as the 768-pixel models are trained.
    /// </summary>
    /// <exception cref="CheckpointException">The file has none of the components, or not their published layout.</exception>
    public static IReadOnlyDictionary<string, string> InferConfigs(SafetensorsHeader header)
    {
        var configs = new Dictionary<string, string>(StringComparer.Ordinal);
        if (header.Entries.Any(entry => entry.Name.StartsWith($"{UNetPrefix}label_emb.", StringComparison.Ordinal)))
        {
            throw new CheckpointException(
                $"The file's network has a second conditioning ({UNetPrefix}label_emb), as SDXL and upscalers have; SD 1.x and 2.x are supported.");
        }

        var components = header.Entries.Select(entry => ComponentOf(entry.Name)).ToHashSet();
        bool second = IsOpenClip(header) || header.Find($"{UNetPrefix}input_blocks.1.1.proj_in.weight") is { Shape.Count: 2 };
        if (components.Contains("unet"))
        {
            configs["unet/config.json"] = InferUNet(header);
            configs["scheduler/scheduler_config.json"] = PublishedConfigs.Scheduler(second);
        }

        if (components.Contains("vae"))
        {
            configs["vae/config.json"] = InferVae(header);
        }

        if (components.Contains("text_encoder"))
        {
            configs["text_encoder/config.json"] = InferText(header);
        }

        return configs.Count > 0
            ? configs
            : throw new CheckpointException(
                $"The file is not in the original layout: no tensor's name starts with {UNetPrefix}, {VaePrefix} or {TextPrefix}");
    }

    /// <summary>Whether a tensor under a component's prefix is a leftover of training that no model needs.</summary>
    internal static bool IsLeftOver(string name) =>
        name.EndsWith("position_ids", StringComparison.Ordinal)
        || name.StartsWith($"{VaePrefix}loss.", StringComparison.Ordinal)
        || name.StartsWith($"{VaePrefix}model_ema.", StringComparison.Ordinal)
        || name is $"{OpenClipPrefix}text_projection" or $"{OpenClipPrefix}logit_scale" or $"{OpenClipPrefix}attn_mask"
        || name.StartsWith(OpenClipLayers, StringComparison.Ordinal); // SD 2.x looks at the last but one layer and has no use for the last

    private static bool IsOpenClip(SafetensorsHeader header) => header.Find($"{OpenClipPrefix}ln_final.weight") is not null;

    // Input blocks: conv_in, then for each level its layers and its downsampling. Output blocks: for each level its layers; the
    // upsampling comes last in the level's last one.
    private static string UNetName(string key, UNet2DConditionConfig config)
    {
        var match = UNetBlock().Match(key);
        if (!match.Success)
        {
            return Renamed(key, UNetNames);
        }

        string part = match.Groups["part"].Value;
        int index = Number(match, "index");
        string rest = part == "resnets" ? Renamed(match.Groups["rest"].Value, ResnetNames) : match.Groups["rest"].Value;
        if (!match.Groups["level"].Success)
        {
            return $"middle_block.{(part == "resnets" ? 2 * index : 1)}.{rest}";
        }

        int level = Number(match, "level");
        if (match.Groups["side"].Value == "down")
        {
            int first = 1 + config.LayersPerBlock.Take(level).Sum(layers => layers + 1);
            return part == "downsamplers"
                ? $"input_blocks.{first + config.LayersPerBlock[level]}.0.op.{rest["conv.".Length..]}"
                : $"input_blocks.{first + index}.{(part == "resnets" ? 0 : 1)}.{rest}";
        }

        int[] layersUp = [.. config.LayersPerBlock.Reverse().Select(layers => layers + 1)];
        int start = layersUp.Take(level).Sum();
        return part == "upsamplers"
            ? $"output_blocks.{start + layersUp[level] - 1}.{(config.UpHasAttention[level] ? 2 : 1)}.{rest}"
            : $"output_blocks.{start + index}.{(part == "resnets" ? 0 : 1)}.{rest}";
    }

    // Levels of the decoder are counted from the largest picture in the original, from the smallest in diffusers.
    private static string VaeName(string key, int levels)
    {
        var match = VaeBlock().Match(key);
        if (!match.Success)
        {
            return key.Replace("conv_norm_out", "norm_out", StringComparison.Ordinal);
        }

        string side = match.Groups["side"].Value;
        string part = match.Groups["part"].Value;
        int index = Number(match, "index");
        string rest = match.Groups["rest"].Value.Replace("conv_shortcut", "nin_shortcut", StringComparison.Ordinal);
        if (!match.Groups["level"].Success)
        {
            return part == "attentions" ? $"{side}.mid.attn_1.{Renamed(rest, VaeAttentionNames)}" : $"{side}.mid.block_{index + 1}.{rest}";
        }

        int level = Number(match, "level");
        string block = side == "encoder" ? $"encoder.down.{level}" : $"decoder.up.{levels - 1 - level}";
        return part switch
        {
            "downsamplers" => $"{block}.downsample.{rest}",
            "upsamplers" => $"{block}.upsample.{rest}",
            _ => $"{block}.block.{index}.{rest}",
        };
    }

    private static OriginalTensor OpenClipTensor(string key)
    {
        var projection = ClipProjection().Match(key);
        if (projection.Success)
        {
            int part = projection.Groups["which"].Value switch { "q" => 0, "k" => 1, _ => 2 };
            return new OriginalTensor($"{OpenClipLayers}{projection.Groups["layer"].Value}.attn.in_proj_{projection.Groups["kind"].Value}", part, Parts: 3);
        }

        var layer = ClipLayer().Match(key);
        if (layer.Success)
        {
            return new OriginalTensor($"{OpenClipLayers}{layer.Groups["layer"].Value}.{Renamed(layer.Groups["rest"].Value, OpenClipNames)}");
        }

        return key switch
        {
            "text_model.embeddings.token_embedding.weight" => new OriginalTensor($"{OpenClipPrefix}token_embedding.weight"),
            "text_model.embeddings.position_embedding.weight" => new OriginalTensor($"{OpenClipPrefix}positional_embedding"),
            "text_projection.weight" => new OriginalTensor($"{OpenClipPrefix}text_projection", Transposed: true),
            _ => new OriginalTensor(OpenClipPrefix + key.Replace("text_model.final_layer_norm", "ln_final", StringComparison.Ordinal)),
        };
    }

    private static string InferUNet(SafetensorsHeader header)
    {
        var input = ShapeOf(header, $"{UNetPrefix}input_blocks.0.0.weight");
        int width = (int)ShapeOf(header, $"{UNetPrefix}middle_block.1.transformer_blocks.0.attn2.to_k.weight")[1];
        bool linear = ShapeOf(header, $"{UNetPrefix}middle_block.1.proj_in.weight").Count == 2;

        // Two layers and a downsampling per level in every published model: levels begin at 1, 4, 7 and 10.
        List<int> channels = [];
        for (int block = 1; header.Find($"{UNetPrefix}input_blocks.{block}.0.in_layers.2.weight") is { } conv; block += 3)
        {
            channels.Add((int)conv.Shape[0]);
        }

        return PublishedConfigs.UNet((int)input[1], channels, width, secondGeneration: linear);
    }

    private static string InferVae(SafetensorsHeader header)
    {
        List<int> channels = [];
        while (header.Find($"{VaePrefix}encoder.down.{channels.Count}.block.0.conv1.weight") is { } conv)
        {
            channels.Add((int)conv.Shape[0]);
        }

        return PublishedConfigs.Vae(channels, latentChannels: (int)ShapeOf(header, $"{VaePrefix}decoder.conv_in.weight")[1]);
    }

    private static string InferText(SafetensorsHeader header)
    {
        bool openClip = IsOpenClip(header);
        string prefix = header.Entries.Any(e => e.Name.StartsWith($"{ClipPrefix}text_model.", StringComparison.Ordinal)) ? $"{ClipPrefix}text_model." : ClipPrefix;
        var tokens = ShapeOf(header, openClip ? $"{OpenClipPrefix}token_embedding.weight" : $"{prefix}embeddings.token_embedding.weight");
        var inner = ShapeOf(header, openClip ? $"{OpenClipLayers}0.mlp.c_fc.weight" : $"{prefix}encoder.layers.0.mlp.fc1.weight");
        int layers = 0;
        while (header.Find(openClip ? $"{OpenClipLayers}{layers}.ln_1.weight" : $"{prefix}encoder.layers.{layers}.layer_norm1.weight") is not null)
        {
            layers++;
        }

        // The second generation looks at the last but one layer, so its encoder is one layer shorter than the file.
        return PublishedConfigs.Text((int)tokens[0], (int)tokens[1], (int)inner[0], openClip ? layers - 1 : layers, openClip);
    }

    private static IReadOnlyList<long> ShapeOf(SafetensorsHeader header, string name) =>
        header.Find(name)?.Shape
        ?? throw new CheckpointException($"The single file has no tensor '{name}', so its config cannot be told from it; put the config.json files beside it.");

    private static string Renamed(string key, (string Diffusers, string Original)[] names)
    {
        foreach (var (diffusers, original) in names)
        {
            if (key.StartsWith($"{diffusers}.", StringComparison.Ordinal))
            {
                return original + key[diffusers.Length..];
            }
        }

        return key;
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?:(?<side>down|up)_blocks\.(?<level>\d+)|mid_block)\.(?<part>resnets|attentions|downsamplers|upsamplers)\.(?<index>\d+)\.(?<rest>.+)$")]
    private static partial Regex UNetBlock();

    [GeneratedRegex(@"^(?<side>encoder|decoder)\.(?:(?:down|up)_blocks\.(?<level>\d+)|mid_block)\.(?<part>resnets|attentions|downsamplers|upsamplers)\.(?<index>\d+)\.(?<rest>.+)$")]
    private static partial Regex VaeBlock();

    [GeneratedRegex(@"^text_model\.encoder\.layers\.(?<layer>\d+)\.self_attn\.(?<which>[qkv])_proj\.(?<kind>weight|bias)$")]
    private static partial Regex ClipProjection();

    [GeneratedRegex(@"^text_model\.encoder\.layers\.(?<layer>\d+)\.(?<rest>.+)$")]
    private static partial Regex ClipLayer();
}
