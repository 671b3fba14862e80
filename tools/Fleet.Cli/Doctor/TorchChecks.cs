using System.Diagnostics;
using Fleet.Diffusion;
using TorchSharp;

namespace Fleet.Cli.Doctor;

/// <summary>Whether libtorch loads and computes here, and on which devices.</summary>
internal static class TorchChecks
{
    public static IReadOnlyList<Finding> All()
    {
        try
        {
            TorchRuntime.EnsureLoaded();
            return [Computes(), Devices()];
        }
        catch (TorchUnavailableException exception)
        {
            return [Finding.Fault("libtorch", exception.Message, "pictures need it; the registry and the client commands work without")];
        }
    }

    private static Finding Computes()
    {
        const int Size = 1024;
        using var scope = torch.NewDisposeScope();
        var a = torch.ones(Size, Size);
        float element = a.mm(a)[0, 0].item<float>(); // also warms up the threads
        if (element != Size)
        {
            return Finding.Fault("libtorch", $"a product of ones is {element}, not {Size}", "the processor or this build of libtorch is faulty");
        }

        long start = Stopwatch.GetTimestamp();
        _ = a.mm(a);
        double flops = 2.0 * Size * Size * Size / Stopwatch.GetElapsedTime(start).TotalSeconds;
        return Finding.Ok(
            "libtorch", $"{TorchRuntime.Version} computes: {flops / 1e9:0} GFLOP/s in float32 on {torch.get_num_threads()} threads");
    }

    private static Finding Devices() => torch.cuda.is_available()
        ? Finding.Ok("devices", string.Join(", ", Enumerable.Range(0, torch.cuda.device_count()).Select(i => $"cuda:{i}").Prepend("cpu")))
        : Finding.Ok("devices", "cpu (this build or this machine has no CUDA)");
}
