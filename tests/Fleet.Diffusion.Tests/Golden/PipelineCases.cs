using System.Text.Json;
using Fleet.Diffusion.Imaging;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Sampling;
using Fleet.Diffusion.Tokenization;
using Fleet.Diffusion.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>
/// Whole pipelines: the prompt is tokenized and encoded, rows are denoised in one batch and decoded, by the same code as the
/// services run. Compared are the network's first call, the latents after every step, the raw and the finished picture.
/// </summary>
internal static class PipelineCases
{
    private static readonly Dictionary<string, Defaults> Pipelines = new()
    {
        ["StableDiffusionPipeline"] = new(Steps: 50, Guidance: 7.5, Strength: 1),
        ["StableDiffusionImg2ImgPipeline"] = new(Steps: 50, Guidance: 7.5, Strength: 0.8),
        ["StableDiffusionInpaintPipeline"] = new(Steps: 50, Guidance: 7.5, Strength: 1),
        ["LatentConsistencyModelPipeline"] = new(Steps: 4, Guidance: 8.5, Strength: 1),
    };

    private static readonly Dictionary<string, string> NotServed = new()
    {
        ["controlnet"] = "ControlNet is not served yet",
        ["ip_adapter"] = "IP-Adapter is not served yet",
        ["lora"] = "LoRA is not served yet",
        ["embeddings"] = "textual inversion is not served yet",
        ["vae_model"] = "the tiny autoencoder is not served yet",
    };

    public static void Compare(GoldenCase golden)
    {
        string pipeline = golden.Text("pipeline")!;
        if (!Pipelines.TryGetValue(pipeline, out var defaults))
        {
            throw new NotCoveredException($"{pipeline} is not served yet");
        }

        foreach (var (key, reason) in NotServed)
        {
            if (golden.Json.TryGetProperty(key, out _) || golden.Entry.TryGetProperty(key, out _))
            {
                throw new NotCoveredException(reason);
            }
        }

        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var tensors = golden.OpenTensors();
        using var run = new Run(golden, tensors, defaults);
        run.Compare();
    }

    private sealed record Defaults(int Steps, double Guidance, double Strength);

    private sealed class Run(GoldenCase golden, GoldenTensors tensors, Defaults defaults) : IDisposable
    {
        private readonly JsonElement call = golden.Json.GetProperty("call");
        private readonly Checkpoint checkpoint = Checkpoint.Open(golden.PathOf("model"));
        private readonly Tolerance latentsTolerance = Tolerance.Of(golden, "final_latents");

        public void Dispose() => checkpoint.Dispose();

        public void Compare()
        {
            using var vae = AutoencoderKL.Load(checkpoint);
            using var unet = LoadUnet();
            var network = new DenoisingNetwork(unet, CPU, ScalarType.Float32);
            var prompts = Texts("prompt");
            int perPrompt = Number("num_images_per_prompt", 1);
            double guidance = Number("guidance_scale", defaults.Guidance);
            bool guided = guidance > 1 && unet.Config.TimeCondProjDim is null;
            var embeddings = Encode(prompts, Number("clip_skip", 0));

            // The reference leaves no layers out for the negative prompt.
            var negative = guided ? Encode([.. Enumerable.Range(0, prompts.Count).Select(NegativeOf)], clipSkip: 0) : null;
            var sampler = CreateSampler();
            var rows = new List<DenoisingRow>();
            for (int b = 0; b < prompts.Count * perPrompt; b++)
            {
                var init = EncodeInit(vae, b);
                var task = new DenoisingTask
                {
                    Sampler = sampler,
                    Embeddings = embeddings.narrow(0, b / perPrompt, 1),
                    NegativeEmbeddings = negative?.narrow(0, b / perPrompt, 1),
                    GuidanceScale = guidance,
                    GuidanceRescale = Number("guidance_rescale", 0.0),
                    Shape = [1, .. tensors["final_latents"].shape.Skip(1)],
                    Init = init,
                    Repaint = EncodeMasked(vae, b),
                };
                rows.Add(new DenoisingRow(task, unet.Config.InChannels, Noise(b, samplesInit: init is not null && unet.Config.InChannels == unet.Config.OutChannels)));
            }

            CompareFirstCall(unet);
            Denoise(network, rows);
            ComparePicture(vae, cat([.. rows.Select(row => row.Latents)], 0));
            rows.ForEach(row => row.Dispose());
        }

        private void Denoise(DenoisingNetwork network, List<DenoisingRow> rows)
        {
            var expected = tensors["steps.latents"]; // (calls, b, c, h, w)
            rows[0].RemainingCalls.Should().Be((int)expected.shape[0], "the number of calls is the reference's");
            for (int i = 0; rows[0].RemainingCalls > 0; i++)
            {
                DenoisingBatch.Advance(network, rows);
                latentsTolerance.Check(cat([.. rows.Select(row => row.Latents)], 0), expected[i], $"steps.latents[{i}]");
            }
        }

        // Watches the network's first call.
        private void CompareFirstCall(UNet2DConditionModel unet)
        {
            bool first = true;
            unet.register_forward_hook((_, sample, timesteps, context, timestepCond, output) =>
            {
                if (first)
                {
                    first = false;
                    Tolerance.Component.Check(sample, tensors["call0.in.sample"], "call0.in.sample");
                    Tolerance.Component.Check(timesteps, tensors["call0.in.timestep"].to(ScalarType.Float32).expand_as(timesteps), "call0.in.timestep");
                    Tolerance.Component.Check(context, tensors["call0.in.encoder_hidden_states"], "call0.in.encoder_hidden_states");
                    if (timestepCond is not null)
                    {
                        Tolerance.Component.Check(timestepCond, tensors["call0.in.timestep_cond"], "call0.in.timestep_cond");
                    }

                    Tolerance.Component.Check(output, tensors["call0.out"], "call0.out");
                }

                return output;
            });
        }

        private void ComparePicture(AutoencoderKL vae, Tensor latents)
        {
            latentsTolerance.Check(latents, tensors["final_latents"], "final_latents");
            var decoded = vae.Decode((latents / vae.Config.ScalingFactor) + vae.Config.ShiftFactor);
            if (tensors.Has("decoded_raw"))
            {
                // The picture is half the decoded values, so their tolerance is twice the picture's.
                var image = Tolerance.Of(golden, "image");
                new Tolerance(2 * image.Atol, image.Rtol).Check(decoded, tensors["decoded_raw"], "decoded_raw");
            }

            Tolerance.Of(golden, "image").Check(((decoded / 2) + 0.5).clamp(0, 1), tensors["image"], "image");
        }

        private UNet2DConditionModel LoadUnet()
        {
            if (golden.Text("unet") is not { } other)
            {
                return UNet2DConditionModel.Load(checkpoint);
            }

            // The case takes its network from a folder of its own; a component folder's parent is a checkpoint of that component.
            string folder = Path.Combine(GoldenSet.Folder, other);
            using var components = Checkpoint.Open(Path.GetDirectoryName(folder)!);
            return UNet2DConditionModel.Load(components, Path.GetFileName(folder));
        }

        private Sampler CreateSampler()
        {
            var scheduler = golden.Json.GetProperty("scheduler");
            var config = SchedulerConfig.Parse(scheduler.GetProperty("config"), scheduler.GetProperty("class").GetString());
            if (call.TryGetProperty("eta", out var eta))
            {
                config = config.With(config.Step with { Eta = eta.GetDouble() });
            }

            if (call.TryGetProperty("original_inference_steps", out var original))
            {
                config = config.With("original_inference_steps", original.GetInt64());
            }

            return Numbers("timesteps") is { } timesteps ? Sampler.CreateFromTimesteps(config, timesteps)
                : Numbers("sigmas") is { } sigmas ? Sampler.CreateFromSigmas(config, sigmas)
                : Sampler.Create(config, Number("num_inference_steps", defaults.Steps));
        }

        private Tensor Encode(IReadOnlyList<string> texts, int clipSkip)
        {
            using var encoder = ClipTextModel.Load(checkpoint);
            var tokenizer = ClipTokenizer.Load(checkpoint.Files, "tokenizer/");
            var ids = stack([.. texts.Select(text => tensor(tokenizer.Frame(tokenizer.Encode(text)), dtype: ScalarType.Int64))]);
            return encoder.Encode(ids, clipSkip);
        }

        private InitialPicture? EncodeInit(AutoencoderKL vae, int b)
        {
            if (!tensors.Has("in.image"))
            {
                return null;
            }

            var (mean, std) = vae.Encode((Row("in.image", b) * 2) - 1);
            return new InitialPicture(mean * vae.Config.ScalingFactor, std * vae.Config.ScalingFactor, Number("strength", defaults.Strength));
        }

        private RepaintMask? EncodeMasked(AutoencoderKL vae, int b)
        {
            if (!tensors.Has("in.mask_image"))
            {
                return null;
            }

            var mask = (Row("in.mask_image", b) >= 0.5).to(ScalarType.Float32);
            var (mean, std) = vae.Encode(Mask.Blank((Row("in.image", b) * 2) - 1, mask));
            var latents = tensors["final_latents"];
            return new RepaintMask(
                Mask.ToLatentSize(mask, latents.shape[2], latents.shape[3]), mean * vae.Config.ScalingFactor, std * vae.Config.ScalingFactor);
        }

        // The reference's draws in its order. Latents that were given take the place of the initial noise.
        private Func<Tensor> Noise(int b, bool samplesInit)
        {
            var draws = tensors.Names.Where(name => name.StartsWith("in.noise.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
            if (tensors.Has("in.latents"))
            {
                draws.Insert(samplesInit ? 1 : 0, "in.latents");
            }

            var queue = new Queue<string>(draws);
            return () => Row(queue.Dequeue(), b).clone();
        }

        private Tensor Row(string name, int b)
        {
            var all = tensors[name];
            return all.narrow(0, all.shape[0] == 1 ? 0 : b, 1);
        }

        private string NegativeOf(int index)
        {
            var texts = Texts("negative_prompt");
            return texts.Count == 0 ? "" : texts[Math.Min(index, texts.Count - 1)];
        }

        private List<string> Texts(string name) =>
            !call.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? []
            : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(text => text.GetString()!)]
            : [value.GetString()!];

        private List<double>? Numbers(string name) =>
            call.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(n => n.GetDouble())] : null;

        private int Number(string name, int otherwise) =>
            call.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : otherwise;

        private double Number(string name, double otherwise) =>
            call.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : otherwise;
    }
}
