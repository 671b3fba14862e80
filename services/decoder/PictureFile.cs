using Fleet.Diffusion.Imaging;
using SkiaSharp;

namespace Fleet.Decoder;

/// <summary>Decodes picture files that people send: PNG, JPEG, WebP.</summary>
internal static class PictureFile
{
    /// <summary>The pixels, upright, without transparency: colours are taken as they are stored, as Pillow's convert("RGB") does.</summary>
    /// <exception cref="PictureFormatException">The file is of another format, damaged, cut off, or has more than <paramref name="maxPixels"/> pixels.</exception>
    public static Picture Decode(ReadOnlySpan<byte> file, long maxPixels)
    {
        using var data = SKData.CreateCopy(file);
        using var codec = SKCodec.Create(data);
        if (codec is null || codec.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp))
        {
            throw new PictureFormatException("The file is no PNG, JPEG or WebP picture, or its header is damaged.");
        }

        var (width, height) = (codec.Info.Width, codec.Info.Height);
        if ((long)width * height > maxPixels)
        {
            throw new PictureFormatException($"The picture is of {width}x{height} pixels; at most {maxPixels} pixels are read.");
        }

        // No colour space: the stored numbers are wanted, not what they look like on some screen.
        using var bitmap = new SKBitmap();
        if (!bitmap.TryAllocPixels(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul)))
        {
            throw new PictureFormatException($"There is no memory for a picture of {width}x{height} pixels.");
        }

        var result = codec.GetPixels(bitmap.Info, bitmap.GetPixels());
        if (result is not SKCodecResult.Success)
        {
            throw new PictureFormatException($"The {codec.EncodedFormat} file is damaged or cut off: decoding ended with {result}.");
        }

        return Upright(bitmap.GetPixelSpan(), width, height, (int)codec.EncodedOrigin);
    }

    // Cameras store the sensor's rows and note how the camera was held (EXIF orientation 1 to 8): from 5 on rows and columns
    // are exchanged; of the four ways to begin, 2 and 3 mirror across, 3 and 4 down, and so on for the exchanged ones.
    private static Picture Upright(ReadOnlySpan<byte> rgba, int width, int height, int orientation)
    {
        var exchange = orientation is >= 5 and <= 8;
        var mirrorX = orientation is 2 or 3 or 7 or 8;
        var mirrorY = orientation is 3 or 4 or 6 or 7;
        var (newWidth, newHeight) = exchange ? (height, width) : (width, height);
        var rgb = new byte[3 * newWidth * newHeight];
        for (var y = 0; y < newHeight; y++)
        {
            for (var x = 0; x < newWidth; x++)
            {
                var (column, row) = exchange ? (y, x) : (x, y);
                column = mirrorX ? width - 1 - column : column;
                row = mirrorY ? height - 1 - row : row;
                rgba.Slice(4 * (row * width + column), 3).CopyTo(rgb.AsSpan(3 * (y * newWidth + x)));
            }
        }

        return new Picture(newWidth, newHeight, rgb);
    }
}
