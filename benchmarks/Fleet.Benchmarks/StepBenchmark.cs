using Fleet.Diffusion;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Sampling;
using Fleet.Diffusion.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Benchmarks;

/// <summary>One SD1.5-shaped step at 512x512 with guidance, one decode and one encode, beside the GEMM rate of the same run.</summary>
internal static class StepBenchmark
{
    // Counted over convolutions, linear layers and attention of the published architecture at 512x512; 2 operations per multiply-add.
    private const double StepTeraflop = 1.607; // two rows
    private const double DecodeTeraflop = 2.515;
    private const double EncodeTeraflop = 1.117;

    public static void Run(string folder, int repeats)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var device = ComputeDevice.Open("cpu");
        device.PrepareThread();
        using var noGradients = no_grad();
        Console.WriteLine($"{repeats} rounds, interleaved; medians. Synthetic SD1.5 weights, float32, {Environment.ProcessorCount} cores.");
        Console.WriteLine($"{"work",-10}{"seconds",10}{"GFLOP/s",10}{"GEMM",10}{"share",8}{"peak MiB",10}");

        using (var unet = UNet2DConditionModel.Load(checkpoint))
        {
            var network = new DenoisingNetwork(unet, CPU, ScalarType.Float32);
            Report("step", StepTeraflop, repeats, () =>
            {
                using var scope = NewDisposeScope();
                using var row = Row(unet);
                DenoisingBatch.Advance(network, [row]);
            });
        }

        using var vae = AutoencoderKL.Load(checkpoint);
        Report("decode", DecodeTeraflop, repeats, () =>
        {
            using var scope = NewDisposeScope();
            vae.Decode(randn(1, 4, 64, 64));
        });
        Report("encode", EncodeTeraflop, repeats, () =>
        {
            using var scope = NewDisposeScope();
            vae.Encode((rand(1, 3, 512, 512) * 2) - 1);
        });
    }

    private static DenoisingRow Row(UNet2DConditionModel unet)
    {
        var sampler = Sampler.Create(SchedulerConfig.Parse(System.Text.Json.JsonDocument.Parse("{}").RootElement, "EulerDiscreteScheduler"), 20);
        var task = new DenoisingTask
        {
            Sampler = sampler,
            Embeddings = randn(1, 77, unet.Config.CrossAttentionDim),
            NegativeEmbeddings = randn(1, 77, unet.Config.CrossAttentionDim),
            GuidanceScale = 7.5,
            Shape = [1, 4, 64, 64],
        };
        return new DenoisingRow(task, unet.Config.InChannels, () => randn(1, 4, 64, 64));
    }

    private static void Report(string name, double teraflop, int repeats, Action work)
    {
        work(); // first use allocates and reads the mapped weights
        var seconds = new List<double>();
        var peaks = new List<double>();
        for (int i = 0; i < repeats; i++)
        {
            peaks.Add(Measure.GemmPeak());
            seconds.Add(Measure.Seconds(work));
        }

        double median = Measure.Median(seconds);
        double peak = Measure.Median(peaks);
        double rate = teraflop * 1000 / median;
        double memory = System.Diagnostics.Process.GetCurrentProcess().PeakWorkingSet64 / (1024.0 * 1024);
        Console.WriteLine($"{name,-10}{median,10:F2}{rate,10:F0}{peak,10:F0}{rate / peak,8:P0}{memory,10:F0}");
    }
}
