using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Imaging;

/// <summary>Inpainting masks: 1 where the picture is repainted.</summary>
public static class Mask
{
    /// <summary>(1, 1, h, w) float32: 1 where the picture's luma (ITU-R 601) is at least half of white, else 0.</summary>
    public static Tensor FromPicture(Picture picture)
    {
        var mask = new float[picture.Width * picture.Height];
        for (var i = 0; i < mask.Length; i++)
        {
            var pixel = picture.Rgb.AsSpan(3 * i, 3);
            var luma = (19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 0x8000) >> 16;  // Pillow's convert("L")
            mask[i] = luma >= 128 ? 1 : 0;
        }

        return tensor(mask, [1, 1, picture.Height, picture.Width]);
    }

    /// <summary>The mask at the size of latents: of each patch of pixels the first one counts, as in diffusers.</summary>
    public static Tensor ToLatentSize(Tensor mask, long height, long width) =>
        nn.functional.interpolate(mask, [height, width], mode: InterpolationMode.Nearest);

    /// <summary>The picture (1, 3, h, w) with the masked part at 0, mid-grey.</summary>
    public static Tensor Blank(Tensor image, Tensor mask)
    {
        using var scope = NewDisposeScope();
        return (image * (mask < 0.5)).MoveToOuterDisposeScope();
    }
}
