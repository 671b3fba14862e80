using Fleet.Diffusion.Imaging;
using SkiaSharp;

namespace Fleet.Stages.Tests.Decoder;

/// <summary>Picture files as people send them.</summary>
internal static class TestPictures
{
    /// <summary>Red, green, blue and white quarters.</summary>
    public static Picture Quarters(int width, int height)
    {
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++)
        {
            bool right = i % width >= width / 2;
            bool lower = i / width >= height / 2;
            ReadOnlySpan<byte> colour = (right, lower) switch
            {
                (false, false) => [255, 0, 0],
                (true, false) => [0, 255, 0],
                (false, true) => [0, 0, 255],
                _ => [255, 255, 255],
            };
            colour.CopyTo(rgb.AsSpan(3 * i));
        }

        return new Picture(width, height, rgb);
    }

    public static byte[] Encode(Picture picture, SKEncodedImageFormat format, int quality = 100, byte alpha = 255)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(picture.Width, picture.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        for (int i = 0; i < picture.Width * picture.Height; i++)
        {
            var colour = new SKColor(picture.Rgb[3 * i], picture.Rgb[3 * i + 1], picture.Rgb[3 * i + 2], alpha);
            bitmap.SetPixel(i % picture.Width, i / picture.Width, colour);
        }

        return bitmap.Encode(format, quality).ToArray();
    }

    /// <summary>A JPEG file that says how the camera was held (EXIF orientation 1 to 8).</summary>
    public static byte[] WithOrientation(byte[] jpeg, byte orientation)
    {
        // One IFD with one entry: tag 0x0112, type SHORT, count 1.
        byte[] exif = [.. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
        return [.. jpeg[..2], 0xFF, 0xE1, 0, (byte)(exif.Length + 2), .. exif, .. jpeg[2..]];
    }
}
