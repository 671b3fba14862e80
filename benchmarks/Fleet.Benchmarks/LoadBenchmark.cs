using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using TorchSharp;

namespace Fleet.Benchmarks;

/// <summary>Loading a checkpoint: time against reading its bytes, and memory against its weights.</summary>
internal static class LoadBenchmark
{
    public static void Run(string folder)
    {
        string[] files = Directory.GetFiles(folder, "*.safetensors", SearchOption.AllDirectories);
        double fileMiB = files.Sum(file => new FileInfo(file).Length) / (1024.0 * 1024);
        foreach (string file in files)
        {
            ReadThrough(file); // both measurements find the files in the page cache
        }

        double reading = Measure.Seconds(() =>
        {
            foreach (string file in files)
            {
                ReadThrough(file);
            }
        });

        Fleet.Diffusion.TorchRuntime.EnsureLoaded();
        double before = Measure.MemoryMiB().Resident;
        ClipTextModel? text = null;
        UNet2DConditionModel? unet = null;
        AutoencoderKL? vae = null;
        double opening = Measure.Seconds(() =>
        {
            using var checkpoint = Checkpoint.Open(folder);
            text = ClipTextModel.Load(checkpoint);
            unet = UNet2DConditionModel.Load(checkpoint);
            vae = AutoencoderKL.Load(checkpoint);
        });
        var parameters = ((torch.nn.Module[])[text!, unet!, vae!]).SelectMany(model => model.parameters()).ToList();
        double weightsMiB = parameters.Sum(p => p.numel() * p.element_size()) / (1024.0 * 1024);
        double touching = Measure.Seconds(() =>
        {
            foreach (var parameter in parameters)
            {
                using var sum = parameter.sum();
            }
        });
        double after = Measure.MemoryMiB().Resident - before;
        double peak = (System.Diagnostics.Process.GetCurrentProcess().PeakWorkingSet64 / (1024.0 * 1024)) - before;

        Console.WriteLine($"files {fileMiB:F0} MiB, weights in memory {weightsMiB:F0} MiB");
        Console.WriteLine($"read the bytes      {reading,8:F2} s");
        Console.WriteLine($"load                {opening,8:F2} s   {opening / reading:F2} x reading");
        Console.WriteLine($"touch every weight  {touching,8:F2} s");
        Console.WriteLine($"resident after      {after,8:F0} MiB {after / weightsMiB:F3} x weights");
        Console.WriteLine($"resident at most    {peak,8:F0} MiB {peak / weightsMiB:F3} x weights");
    }

    private static void ReadThrough(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
        byte[] buffer = new byte[4 << 20];
        while (stream.Read(buffer) > 0)
        {
        }
    }
}
