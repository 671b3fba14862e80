using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fleet.Diffusion.Weights;

/// <summary>The config.json files of Stable Diffusion 1.x and 2.x as published, for given sizes.</summary>
internal static class PublishedConfigs
{
    private const int ClassicHeads = 8;
    private const int HeadWidth = 64;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static string UNet(int inChannels, IReadOnlyList<int> channels, int contextWidth, bool secondGeneration)
    {
        int levels = channels.Count;
        JsonNode heads = secondGeneration ? List(channels.Select(c => Math.Max(c / HeadWidth, 1))) : ClassicHeads;
        return Text(new JsonObject
        {
            ["_class_name"] = "UNet2DConditionModel",
            ["act_fn"] = "silu",
            ["attention_head_dim"] = heads,
            ["block_out_channels"] = List(channels),
            ["center_input_sample"] = false,
            ["cross_attention_dim"] = contextWidth,
            ["down_block_types"] = List(Enumerable.Range(0, levels).Select(i => i < levels - 1 ? "CrossAttnDownBlock2D" : "DownBlock2D")),
            ["downsample_padding"] = 1,
            ["flip_sin_to_cos"] = true,
            ["freq_shift"] = 0,
            ["in_channels"] = inChannels,
            ["layers_per_block"] = 2,
            ["mid_block_scale_factor"] = 1,
            ["norm_eps"] = 1e-5,
            ["norm_num_groups"] = 32,
            ["out_channels"] = 4,
            ["sample_size"] = secondGeneration ? 96 : 64,
            ["up_block_types"] = List(Enumerable.Range(0, levels).Select(i => i > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D")),
            ["use_linear_projection"] = secondGeneration,
        });
    }

    public static string Vae(IReadOnlyList<int> channels, int latentChannels) => Text(new JsonObject
    {
        ["_class_name"] = "AutoencoderKL",
        ["act_fn"] = "silu",
        ["block_out_channels"] = List(channels),
        ["down_block_types"] = List(channels.Select(_ => "DownEncoderBlock2D")),
        ["in_channels"] = 3,
        ["latent_channels"] = latentChannels,
        ["layers_per_block"] = 2,
        ["norm_num_groups"] = 32,
        ["out_channels"] = 3,
        ["sample_size"] = 512,
        ["scaling_factor"] = 0.18215,
        ["up_block_types"] = List(channels.Select(_ => "UpDecoderBlock2D")),
    });

    public static string Text(int vocabulary, int width, int innerWidth, int layers, bool secondGeneration) => Text(new JsonObject
    {
        ["architectures"] = List(["CLIPTextModel"]),
        ["bos_token_id"] = secondGeneration ? 49406 : 0,
        ["eos_token_id"] = 2,
        ["hidden_act"] = secondGeneration ? "gelu" : "quick_gelu",
        ["hidden_size"] = width,
        ["intermediate_size"] = innerWidth,
        ["layer_norm_eps"] = 1e-5,
        ["max_position_embeddings"] = 77,
        ["model_type"] = "clip_text_model",
        ["num_attention_heads"] = Math.Max(width / HeadWidth, 1),
        ["num_hidden_layers"] = layers,
        ["pad_token_id"] = 1,
        ["vocab_size"] = vocabulary,
    });

    public static string Scheduler(bool secondGeneration) => Text(new JsonObject
    {
        ["_class_name"] = secondGeneration ? "DDIMScheduler" : "PNDMScheduler",
        ["beta_end"] = 0.012,
        ["beta_schedule"] = "scaled_linear",
        ["beta_start"] = 0.00085,
        ["clip_sample"] = false,
        ["num_train_timesteps"] = 1000,
        ["prediction_type"] = secondGeneration ? "v_prediction" : "epsilon",
        ["set_alpha_to_one"] = false,
        ["skip_prk_steps"] = true,
        ["steps_offset"] = 1,
    });

    public static string ModelIndex(bool secondGeneration, bool withTokenizer)
    {
        var index = new JsonObject
        {
            ["_class_name"] = "StableDiffusionPipeline",
            ["scheduler"] = List(["diffusers", secondGeneration ? "DDIMScheduler" : "PNDMScheduler"]),
            ["text_encoder"] = List(["transformers", "CLIPTextModel"]),
            ["unet"] = List(["diffusers", "UNet2DConditionModel"]),
            ["vae"] = List(["diffusers", "AutoencoderKL"]),
        };
        if (withTokenizer)
        {
            index["tokenizer"] = List(["transformers", "CLIPTokenizer"]);
        }

        return Text(index);
    }

    private static JsonArray List<T>(IEnumerable<T> items) => [.. items.Select(item => JsonValue.Create(item))];

    private static string Text(JsonObject config) => config.ToJsonString(Indented);
}
