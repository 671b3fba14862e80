using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>Gaussian noise from torch's CPU generator (mt19937): one seed gives the same draws on any device. One per picture; not for concurrent use.</summary>
public sealed class NoiseGenerator : IDisposable
{
    private readonly Generator generator;

    /// <summary>A generator at the start of its seed's sequence. torch's CPU generator takes the lower 32 bits of a seed.</summary>
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

    /// <summary>The next draw in another floating-point type, as torch 2.14 draws it.</summary>
    public Tensor Draw(ScalarType dtype, params long[] shape)
    {
        const int Block = 16;
        long count = shape.Aggregate(1L, (product, length) => product * length);
        if (count < Block || dtype is not (ScalarType.Float16 or ScalarType.BFloat16))
        {
            return randn(shape, dtype, CPU, generator: generator);
        }

        // Half-precision noise is float32 noise, rounded, in blocks of 16; an incomplete last block is the last 16 values drawn
        // afresh. The libtorch that Fleet ships draws the uniforms themselves in half precision, which gives other numbers.
        using var scope = NewDisposeScope();
        var noise = randn([count - count % Block], float32, CPU, generator: generator);
        if (count % Block != 0)
        {
            noise = cat([noise.narrow(0, 0, count - Block), randn([Block], float32, CPU, generator: generator)]);
        }

        return noise.to(dtype).reshape(shape).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => generator.Dispose();
}
