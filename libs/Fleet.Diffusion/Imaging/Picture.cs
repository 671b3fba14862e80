using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Imaging;

/// <summary>Pixels: 8-bit RGB, rows from the top, no padding.</summary>
public sealed class Picture
{
    /// <summary>A picture over its bytes, 3 per pixel.</summary>
    public Picture(int width, int height, byte[] rgb)
    {
        if (width < 1 || height < 1 || rgb.LongLength != 3L * width * height)
        {
            throw new ArgumentException($"{rgb.LongLength} bytes are not a picture of {width}x{height}, which has {3L * width * height}.", nameof(rgb));
        }

        (Width, Height, Rgb) = (width, height, rgb);
    }

    /// <summary>Pixels across.</summary>
    public int Width { get; }

    /// <summary>Pixels down.</summary>
    public int Height { get; }

    /// <summary>3 bytes per pixel.</summary>
    public byte[] Rgb { get; }

    /// <summary>The picture of what an autoencoder decodes: (1, 3, h, w), clamped to [-1, 1], rounded to 8 bits.</summary>
    public static Picture FromTensor(Tensor image)
    {
        if (image.shape is not [1, 3, var height, var width])
        {
            throw new ArgumentException($"A tensor of shape [{string.Join(", ", image.shape)}] is no picture; expected (1, 3, h, w).", nameof(image));
        }

        using var scope = NewDisposeScope();
        var bytes = (image.to(float32) / 2 + 0.5).clamp(0, 1).mul(255).round().to(uint8);
        var rows = bytes[0].permute(1, 2, 0).contiguous().cpu();  // (h, w, 3)
        return new Picture((int)width, (int)height, rows.data<byte>().ToArray());
    }

    /// <summary>The picture as an autoencoder encodes it: (1, 3, h, w) float32 in [-1, 1].</summary>
    public Tensor ToTensor()
    {
        using var scope = NewDisposeScope();
        var rows = tensor(Rgb, uint8).reshape(Height, Width, 3);
        return (rows.permute(2, 0, 1).unsqueeze(0).to(float32) / 255 * 2 - 1).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The picture in another size, resampled with a Lanczos window of 3 as Pillow does; itself when it has that size.</summary>
    public Picture Resize(int width, int height) =>
        width == Width && height == Height ? this : new Picture(width, height, Lanczos.Resize(Rgb, Width, Height, width, height));
}
