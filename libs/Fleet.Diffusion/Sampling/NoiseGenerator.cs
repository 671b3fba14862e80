using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>Gaussian noise from torch's CPU generator (mt19937): one seed gives the same draws on any device. One per picture; not for concurrent use.</summary>
public sealed class NoiseGenerator : IDisposable
{
    private readonly Generator generator;

    /// <summary>A generator at the start of its seed's sequence.</summary>
    public NoiseGenerator(long seed) => generator = new Generator((ulong)seed, CPU);

    /// <summary>All of the generator's state: what it drew so far decides what comes next.</summary>
    public byte[] State
    {
        get
        {
            using var state = generator.get_state();
            return state.data<byte>().ToArray();
        }
    }

    /// <summary>A generator that goes on where the state was taken.</summary>
    public static NoiseGenerator Restore(byte[] state)
    {
        var restored = new NoiseGenerator(0);
        using var bytes = tensor(state, uint8);
        restored.generator.set_state(bytes);
        return restored;
    }

    /// <summary>The next draw, float32 on the CPU; torch.randn's for this shape.</summary>
    public Tensor Draw(params long[] shape) => Draw(float32, shape);

    /// <summary>The next draw in another element type. float16 and bfloat16 are drawn in that type, not rounded from a float32 draw: the numbers differ from 16 elements on.</summary>
    public Tensor Draw(ScalarType dtype, params long[] shape) => randn(shape, dtype, CPU, generator: generator);

    /// <inheritdoc/>
    public void Dispose() => generator.Dispose();
}
