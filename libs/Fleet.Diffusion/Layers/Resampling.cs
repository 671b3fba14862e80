using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Layers;

/// <summary>Halves height and width with a strided convolution.</summary>
internal sealed class Downsampler : Module<Tensor, Tensor>
{
    private readonly Conv2d conv;
    private readonly bool padRightAndBottom;

    /// <param name="channels">Channels in and out.</param>
    /// <param name="padding">Padding on all four sides. 0: one row and column at the bottom and right only, as autoencoders do.</param>
    public Downsampler(int channels, int padding)
        : base(nameof(Downsampler))
    {
        padRightAndBottom = padding == 0;
        conv = ShapeOnly.Conv2d(channels, channels, 3, stride: 2, padding: padding);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        if (!padRightAndBottom)
        {
            return conv.call(x);
        }

        using var padded = functional.pad(x, (0, 1, 0, 1));
        return conv.call(padded);
    }
}

/// <summary>Enlarges to a height and width by nearest neighbour, then convolves.</summary>
internal sealed class Upsampler : Module<Tensor, (long Height, long Width), Tensor>
{
    private readonly Conv2d conv;

    public Upsampler(int channels)
        : base(nameof(Upsampler))
    {
        conv = ShapeOnly.Conv2d(channels, channels, 3, padding: 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, (long Height, long Width) size)
    {
        using var larger = functional.interpolate(x, [size.Height, size.Width], mode: InterpolationMode.Nearest);
        return conv.call(larger);
    }
}
