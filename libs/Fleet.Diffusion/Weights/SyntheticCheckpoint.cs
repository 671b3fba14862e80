using Fleet.Diffusion.Models;
using Fleet.Safetensors;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>A published architecture, or a small one of the same kind, to be filled with random weights.</summary>
public sealed record SyntheticArchitecture
{
    private SyntheticArchitecture(string name, string description, bool secondGeneration)
    {
        Name = name;
        Description = description;
        SecondGeneration = secondGeneration;
    }

    /// <summary>Short name: "sd15".</summary>
    public string Name { get; }

    /// <summary>What it is, in a few words.</summary>
    public string Description { get; }

    /// <summary>All of them, by size from the largest.</summary>
    public static IReadOnlyList<SyntheticArchitecture> All { get; } =
    [
        new("sd2", "Stable Diffusion 2.x with velocity prediction: 1.29 billion parameters", secondGeneration: true)
        {
            UNet = PublishedConfigs.UNet(4, [320, 640, 1280, 1280], contextWidth: 1024, secondGeneration: true),
            Vae = PublishedConfigs.Vae([128, 256, 512, 512], latentChannels: 4),
            Text = PublishedConfigs.Text(49408, width: 1024, innerWidth: 4096, layers: 23, secondGeneration: true),
        },
        new("sd15", "Stable Diffusion 1.5: 1.07 billion parameters", secondGeneration: false)
        {
            UNet = PublishedConfigs.UNet(4, [320, 640, 1280, 1280], contextWidth: 768, secondGeneration: false),
            Vae = PublishedConfigs.Vae([128, 256, 512, 512], latentChannels: 4),
            Text = PublishedConfigs.Text(49408, width: 768, innerWidth: 3072, layers: 12, secondGeneration: false),
        },
        new("small", "the shape of Stable Diffusion 1.5 with a tenth of its channels: 12 million parameters", secondGeneration: false)
        {
            UNet = PublishedConfigs.UNet(4, [32, 64, 128, 128], contextWidth: 64, secondGeneration: false),
            Vae = PublishedConfigs.Vae([32, 32, 64, 64], latentChannels: 4),
            Text = PublishedConfigs.Text(49408, width: 64, innerWidth: 256, layers: 4, secondGeneration: false),
        },
    ];

    internal bool SecondGeneration { get; }

    internal string UNet { get; private init; } = "";

    internal string Vae { get; private init; } = "";

    internal string Text { get; private init; } = "";

    /// <summary>The architecture of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists those that there are.</exception>
    public static SyntheticArchitecture Named(string name) =>
        All.FirstOrDefault(a => a.Name == name)
        ?? throw new ArgumentException($"There is no architecture '{name}'; there are {string.Join(", ", All.Select(a => a.Name))}.", nameof(name));
}

/// <summary>
/// Writes checkpoints of real architecture and size with random weights: for benchmarks and capacity tests without a download.
/// Weights are drawn so that activations keep their size through the network; pictures are noise.
/// </summary>
public static class SyntheticCheckpoint
{
    /// <summary>Writes a diffusers folder, tensor by tensor, so that memory stays that of the largest one.</summary>
    /// <param name="folder">Created if absent; files of the same names are replaced.</param>
    /// <param name="architecture">What to write.</param>
    /// <param name="tokenizerFolder">Copied to <c>tokenizer/</c>; null leaves the checkpoint without one.</param>
    /// <param name="seed">The same seed gives the same bytes.</param>
    /// <param name="dtype">float32, float16 or bfloat16.</param>
    /// <param name="progress">Told the share that is written, from 0 to 1.</param>
    public static void Write(
        string folder,
        SyntheticArchitecture architecture,
        string? tokenizerFolder,
        ulong seed = 0,
        ScalarType dtype = ScalarType.Float32,
        IProgress<double>? progress = null)
    {
        TorchRuntime.EnsureLoaded();
        using var unet = new UNet2DConditionModel(UNet2DConditionConfig.Parse(ConfigFile.Parse(architecture.UNet)));
        using var vae = new AutoencoderKL(AutoencoderKLConfig.Parse(ConfigFile.Parse(architecture.Vae)));
        using var text = new ClipTextModel(ClipTextConfig.Parse(ConfigFile.Parse(architecture.Text)));
        (string Component, string Config, string File, nn.Module Model)[] components =
        [
            ("text_encoder", architecture.Text, "model.safetensors", text),
            ("unet", architecture.UNet, "diffusion_pytorch_model.safetensors", unet),
            ("vae", architecture.Vae, "diffusion_pytorch_model.safetensors", vae),
        ];

        WriteText(folder, "scheduler/scheduler_config.json", PublishedConfigs.Scheduler(architecture.SecondGeneration));
        CopyTokenizer(tokenizerFolder, Path.Combine(folder, "tokenizer"));
        double total = components.Sum(c => c.Model.parameters().Sum(p => p.numel()));
        double written = 0;
        using var generator = new Generator(seed);
        foreach (var (component, config, file, model) in components)
        {
            WriteText(folder, $"{component}/config.json", config);
            WriteWeights(Path.Combine(folder, component, file), model, dtype, generator, count =>
            {
                written += count;
                progress?.Report(written / total);
            });
        }

        // Last, because a folder with this file counts as a whole checkpoint.
        WriteText(folder, "model_index.json", PublishedConfigs.ModelIndex(architecture.SecondGeneration, tokenizerFolder is not null));
    }

    private static void WriteWeights(string path, nn.Module model, ScalarType dtype, Generator generator, Action<long> wrote)
    {
        var stored = dtype switch
        {
            ScalarType.Float32 => SafetensorsDType.F32,
            ScalarType.Float16 => SafetensorsDType.F16,
            ScalarType.BFloat16 => SafetensorsDType.BF16,
            _ => throw new ArgumentException($"Weights are written as float32, float16 or bfloat16, not as {dtype}.", nameof(dtype)),
        };
        var parameters = model.named_parameters().ToList();
        using var writer = new SafetensorsWriter(
            path, [.. parameters.Select(p => new SafetensorsDeclaration(p.name, stored, p.parameter.shape))], new Dictionary<string, string> { ["format"] = "pt" });
        foreach (var (name, parameter) in parameters)
        {
            using var scope = NewDisposeScope();
            writer.Write(name, Draw(name, parameter.shape, generator).to(dtype).bytes);
            wrote(parameter.numel());
        }

        writer.Complete();
    }

    // Biases 0, norms 1; a matrix or kernel has the variance 1 / inputs, which keeps the variance of what passes through.
    private static Tensor Draw(string name, long[] shape, Generator generator)
    {
        if (shape.Length == 1)
        {
            return name.EndsWith("bias", StringComparison.Ordinal) ? zeros(shape) : ones(shape);
        }

        long inputs = shape.Skip(1).Aggregate(1L, (product, length) => product * length);
        return randn(shape, ScalarType.Float32, generator: generator).mul_(1 / Math.Sqrt(inputs));
    }

    private static void CopyTokenizer(string? from, string to)
    {
        if (from is null)
        {
            return;
        }

        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
        }
    }

    private static void WriteText(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text + "\n");
    }
}
