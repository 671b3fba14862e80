using Fleet.Cli.Fleets;
using TorchSharp;

namespace Fleet.Benchmarks;

/// <summary>Many pictures in a row through the services: do tensors or memory grow?</summary>
internal static class SoakBenchmark
{
    public static async Task RunAsync(int pictures)
    {
        await using var fleet = await LocalFleet.StartAsync(DefaultModel.Folder);
        Console.WriteLine($"{"pictures",10}{"tensors",10}{"resident MiB",14}{"anonymous MiB",15}{"managed MiB",13}");
        long firstTensors = 0;
        double firstResident = 0;
        int quarter = Math.Max(1, pictures / 4);
        for (int i = 1; i <= pictures; i++)
        {
            await fleet.GenerateAsync("a photo of a fox", 64, 4, i);
            if (i % quarter == 0)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                GC.Collect();
                long tensors = torch.Tensor.TotalCount;
                var (resident, anonymous) = Measure.MemoryMiB();
                Console.WriteLine($"{i,10}{tensors,10}{resident,14:F1}{anonymous,15:F1}{GC.GetTotalMemory(true) / 1048576.0,13:F1}");
                if (firstTensors == 0)
                {
                    (firstTensors, firstResident) = (tensors, resident);
                }
                else if (i + quarter > pictures)
                {
                    Console.WriteLine($"since picture {quarter}: {tensors - firstTensors:+0;-0;0} tensors, {resident - firstResident:+0.0;-0.0;0.0} MiB resident");
                }
            }
        }
    }
}
