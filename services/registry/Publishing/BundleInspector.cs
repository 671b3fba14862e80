using System.Text.Json;
using Fleet.Contracts.Registry.V1;
using Fleet.Safetensors;

namespace Fleet.Registry.Publishing;

/// <summary>Judges whether the files of a version make a model that the stages can serve together, and reads what it is.</summary>
internal static class BundleInspector
{
    private const string UnetConfig = "unet/config.json";
    private const string VaeConfig = "vae/config.json";
    private const string TextConfig = "text_encoder/config.json";
    private const string SchedulerConfig = "scheduler/scheduler_config.json";
    private const string Vocabulary = "tokenizer/vocab.json";
    private const string Merges = "tokenizer/merges.txt";

    // Names in a diffusers folder, with and without the prefix of older writers, and in checkpoints of the original layout.
    private static readonly string[] UnetInput = ["conv_in.weight", "model.diffusion_model.input_blocks.0.0.weight"];
    private static readonly string[] VaeDecoderInput = ["decoder.conv_in.weight", "first_stage_model.decoder.conv_in.weight"];
    private static readonly string[] TokenEmbedding =
    [
        "text_model.embeddings.token_embedding.weight",
        "embeddings.token_embedding.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "cond_stage_model.model.token_embedding.weight",
    ];

    private static readonly string[] PredictionTypes = ["epsilon", "v_prediction", "sample"];

    /// <summary>Throws <see cref="UnusableModelException"/> naming file and fault.</summary>
    public static VersionTraits Inspect(BundleFiles files)
    {
        if (AdapterInspector.Find(files) is { } adapter)
        {
            return adapter;
        }

        var layout = ModelLayout.Find(files);
        var text = ComponentConfig.Read(files, TextConfig);
        var unet = ComponentConfig.Read(files, UnetConfig);
        var vae = ComponentConfig.Read(files, VaeConfig);
        var scheduler = ComponentConfig.Read(files, SchedulerConfig);
        foreach (string weights in files.Paths.Where(path => path.EndsWith(".safetensors", StringComparison.Ordinal)))
        {
            _ = files.ReadHeader(weights);
        }

        RequireTokenizer(files, text);
        int width = RequireEqualWidths(text, unet);
        int latentChannels = RequireEqualChannels(unet, vae);
        RequireShapes(layout, text, unet, vae);

        int scaleFactor = 1 << (vae.RequiredNumbers("block_out_channels").Length - 1);
        return new VersionTraits
        {
            Kind = "pipeline",
            Family = Family(text, unet),
            PredictionType = PredictionType(scheduler),
            Scheduler = scheduler.Text("_class_name") ?? throw new UnusableModelException(SchedulerConfig, "_class_name is missing"),
            DefaultSize = unet.RequiredNumbers("sample_size").Max() * scaleFactor,
            VaeScaleFactor = scaleFactor,
            LatentChannels = latentChannels,
            DenoiserInChannels = unet.RequiredNumber("in_channels"),
            EmbeddingWidth = width,
            Parameters = layout.Tensors.Where(IsFloat).Sum(Elements),
            Dtype = layout["unet"].Tensors.Where(IsFloat).GroupBy(entry => entry.DType).MaxBy(group => group.Sum(Elements))?.Key.Token() ?? "",
            TextEncoderLayers = text.RequiredNumber("num_hidden_layers"),
        };
    }

    private static void RequireTokenizer(BundleFiles files, ComponentConfig text)
    {
        if (!files.Has(Merges))
        {
            throw new UnusableModelException(Merges, "is missing");
        }

        int rows = text.RequiredNumber("vocab_size");
        var beyond = files.ReadObject(Vocabulary).EnumerateObject().FirstOrDefault(word =>
            word.Value.ValueKind != JsonValueKind.Number || !word.Value.TryGetInt32(out int id) || id < 0 || id >= rows);
        if (beyond.Value.ValueKind != default)
        {
            throw new UnusableModelException(Vocabulary,
                $"'{beyond.Name}' has the id {beyond.Value.GetRawText()}, and {TextConfig} has a vocab_size of {rows}");
        }
    }

    private static int RequireEqualWidths(ComponentConfig text, ComponentConfig unet)
    {
        int width = text.RequiredNumber("hidden_size");
        int[] attended = unet.RequiredNumbers("cross_attention_dim");
        return attended.All(dimension => dimension == width)
            ? width
            : throw new UnusableModelException(UnetConfig,
                $"cross_attention_dim is {string.Join(", ", attended)}, and the text encoder's hidden_size is {width}: they must be equal");
    }

    private static int RequireEqualChannels(ComponentConfig unet, ComponentConfig vae)
    {
        int latent = vae.RequiredNumber("latent_channels");
        int output = unet.RequiredNumber("out_channels");
        int input = unet.RequiredNumber("in_channels");
        int inpainting = (2 * latent) + 1; // latents, masked latents, mask
        if (output != latent)
        {
            throw new UnusableModelException(UnetConfig, $"out_channels is {output}, and the vae has {latent} latent_channels: they must be equal");
        }

        return input == latent || input == inpainting
            ? latent
            : throw new UnusableModelException(UnetConfig,
                $"in_channels is {input}, where the vae's {latent} latent_channels ask for {latent}, or {inpainting} for inpainting");
    }

    // One telling tensor of each component shows whether the weights belong to the configuration; loading checks all of them.
    private static void RequireShapes(ModelLayout layout, ComponentConfig text, ComponentConfig unet, ComponentConfig vae)
    {
        RequireLength(layout, "unet", UnetInput, axis: 1, unet, "in_channels");
        RequireLength(layout, "vae", VaeDecoderInput, axis: 1, vae, "latent_channels");
        RequireLength(layout, "text_encoder", TokenEmbedding, axis: 0, text, "vocab_size");
        RequireLength(layout, "text_encoder", TokenEmbedding, axis: 1, text, "hidden_size");
    }

    private static void RequireLength(ModelLayout layout, string component, string[] names, int axis, ComponentConfig config, string key)
    {
        var (file, tensors) = layout[component];
        var tensor = tensors.FirstOrDefault(entry => names.Contains(entry.Name))
            ?? throw new UnusableModelException(file, $"has no tensor '{names[0]}': these are not the weights of a {component}");
        long? actual = tensor.Shape.Count > axis ? tensor.Shape[axis] : null;
        if (actual != config.RequiredNumber(key))
        {
            throw new UnusableModelException(file,
                $"'{tensor.Name}' has the shape [{string.Join(", ", tensor.Shape)}], and {config.Path} says {key} {config.RequiredNumber(key)}");
        }
    }

    private static string PredictionType(ComponentConfig scheduler)
    {
        string type = scheduler.Text("prediction_type") ?? PredictionTypes[0];
        return PredictionTypes.Contains(type)
            ? type
            : throw new UnusableModelException(SchedulerConfig,
                $"prediction_type is '{type}', where one of {string.Join(", ", PredictionTypes)} is needed");
    }

    // Stable Diffusion 2 replaced the text encoder by one trained with GELU and the convolutions around attention by linear layers.
    private static string Family(ComponentConfig text, ComponentConfig unet) =>
        (text.Text("hidden_act") ?? "quick_gelu", unet.Flag("use_linear_projection")) switch
        {
            ("quick_gelu", false) => "sd1",
            ("gelu", true) => "sd2",
            _ => "unknown",
        };

    internal static bool IsFloat(SafetensorsEntry entry) =>
        entry.DType is SafetensorsDType.F64 or SafetensorsDType.F32 or SafetensorsDType.F16 or SafetensorsDType.BF16;

    internal static long Elements(SafetensorsEntry entry) => entry.ByteLength / entry.DType.ByteSize();
}
