using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Benchmarks;

/// <summary>Time and memory of this process.</summary>
internal static class Measure
{
    /// <summary>Seconds that a piece of work takes.</summary>
    public static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>The middle of some figures.</summary>
    public static double Median(IEnumerable<double> figures)
    {
        double[] sorted = [.. figures.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>float32 GEMM rate of the machine now, GFLOP/s: the best of several products of 2048 x 2048 matrices.</summary>
    public static double GemmPeak()
    {
        using var scope = NewDisposeScope();
        const int N = 2048;
        var a = randn(N, N);
        var b = randn(N, N);
        double best = Enumerable.Range(0, 12).Select(_ => Seconds(() => mm(a, b).Dispose())).Min();
        return 2.0 * N * N * N / best / 1e9;
    }

    /// <summary>Resident memory in MiB: all of it, and the part that belongs to no file.</summary>
    public static (double Resident, double Anonymous) MemoryMiB()
    {
        if (!OperatingSystem.IsLinux())
        {
            double all = Environment.WorkingSet / (1024.0 * 1024);
            return (all, all);
        }

        var status = File.ReadLines("/proc/self/status").Select(line => line.Split(':', 2)).Where(parts => parts.Length == 2)
            .ToDictionary(parts => parts[0], parts => parts[1].Trim());
        double Of(string key) => double.Parse(status[key].Split(' ')[0]) / 1024;
        return (Of("VmRSS"), Of("RssAnon"));
    }
}
