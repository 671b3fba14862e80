using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion;

/// <summary>A device and the element type to compute in, checked to be there.</summary>
public sealed class ComputeDevice
{
    private readonly int threads;

    private ComputeDevice(Device device, ScalarType dtype, int threads)
    {
        Device = device;
        DType = dtype;
        this.threads = threads;
    }

    /// <summary>Where tensors live.</summary>
    public Device Device { get; }

    /// <summary>Element type of weights and activations.</summary>
    public ScalarType DType { get; }

    /// <summary>Opens a device.</summary>
    /// <param name="device">"cpu", "cuda" or "cuda:N".</param>
    /// <param name="dtype">"float32", "float16" or "bfloat16"; empty: float32 on a CPU, float16 on a GPU.</param>
    /// <param name="threads">CPU threads; 0: as many as there are cores.</param>
    /// <exception cref="TorchUnavailableException">libtorch cannot be loaded.</exception>
    /// <exception cref="ArgumentException">No such device or dtype.</exception>
    public static ComputeDevice Open(string device, string dtype = "", int threads = 0)
    {
        TorchRuntime.EnsureLoaded();
        if (device.StartsWith("cuda", StringComparison.Ordinal) && !cuda.is_available()) // parsing its name would fail with pages of a trace
        {
            throw new ArgumentException(
                $"Device '{device}' was asked for and this build or machine has no CUDA: build with -p:TorchBackend=cuda, and check that the NVIDIA driver is loaded.", nameof(device));
        }

        var parsed = torch.device(device);
        if (parsed.type == DeviceType.CUDA)
        {
            if (parsed.index >= cuda.device_count())
            {
                throw new ArgumentException($"Device '{device}' was asked for and the machine has {cuda.device_count()} GPUs, numbered from 0.", nameof(device));
            }
        }

        var type = dtype switch
        {
            "" => parsed.type == DeviceType.CUDA ? ScalarType.Float16 : ScalarType.Float32,
            "float32" => ScalarType.Float32,
            "float16" => ScalarType.Float16,
            "bfloat16" => ScalarType.BFloat16,
            _ => throw new ArgumentException($"DType is '{dtype}'; give float32, float16 or bfloat16.", nameof(dtype)),
        };
        return new ComputeDevice(parsed, type, threads == 0 ? Environment.ProcessorCount : threads);
    }

    /// <summary>Gives the calling thread its number of CPU threads: OpenMP keeps that number per thread.</summary>
    public void PrepareThread() => set_num_threads(threads);
}
