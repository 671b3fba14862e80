using System.Buffers.Binary;
using System.IO.Hashing;
using Fleet.Decoder;
using Fleet.Diffusion.Imaging;
using SkiaSharp;

namespace Fleet.Stages.Tests.Decoder;

public sealed class PictureFileTests
{
    private const long Limit = 1 << 20;

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public void Decode_File_GivesThePixels(SKEncodedImageFormat format)
    {
        var picture = TestPictures.Quarters(64, 32);

        var decoded = PictureFile.Decode(TestPictures.Encode(picture, format), Limit);

        (decoded.Width, decoded.Height).Should().Be((64, 32));
        double tolerance = format is SKEncodedImageFormat.Png ? 0 : 8; // colours bleed where quarters meet
        decoded.Rgb.Zip(picture.Rgb, (a, b) => Math.Abs(a - b)).Average().Should().BeLessThanOrEqualTo(tolerance);
    }

    [Fact]
    public void Decode_OwnFile_GivesTheBytesBack()
    {
        var picture = TestPictures.Quarters(33, 17);

        PictureFile.Decode(PngWriter.Write(picture, [new("k", "v")]), Limit).Rgb.Should().Equal(picture.Rgb);
    }

    [Fact]
    public void Decode_TransparentPixels_KeepTheirColours()
    {
        var picture = TestPictures.Quarters(8, 8);

        PictureFile.Decode(TestPictures.Encode(picture, SKEncodedImageFormat.Png, alpha: 1), Limit).Rgb.Should().Equal(picture.Rgb);
    }

    [Theory]
    [InlineData(1, "RGBW")]
    [InlineData(2, "GRWB")]
    [InlineData(3, "WBGR")]
    [InlineData(4, "BWRG")]
    [InlineData(5, "RBGW")]
    [InlineData(6, "BRWG")]
    [InlineData(7, "WGBR")]
    [InlineData(8, "GWRB")]
    public void Decode_PhotoOfATurnedCamera_IsUpright(byte orientation, string quarters)
    {
        byte[] stored = TestPictures.Encode(TestPictures.Quarters(64, 32), SKEncodedImageFormat.Jpeg);

        var upright = PictureFile.Decode(TestPictures.WithOrientation(stored, orientation), Limit);

        (upright.Width, upright.Height).Should().Be(orientation < 5 ? (64, 32) : (32, 64));
        string seen = string.Concat(new[] { (1, 1), (3, 1), (1, 3), (3, 3) }.Select(at => ColourAt(upright, at.Item1 * upright.Width / 4, at.Item2 * upright.Height / 4)));
        seen.Should().Be(quarters);
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public void Decode_FileCutOff_IsRefused(SKEncodedImageFormat format)
    {
        byte[] file = TestPictures.Encode(TestPictures.Quarters(200, 200), format);

        foreach (int length in new[] { 0, 4, 20, file.Length / 3, file.Length * 2 / 3 })
        {
            var decode = () => PictureFile.Decode(file.AsSpan(0, length), Limit);
            decode.Should().Throw<PictureFormatException>();
        }
    }

    [Theory]
    [InlineData("GIF89a")]
    [InlineData("<svg/>")]
    [InlineData("%PDF-1.7")]
    public void Decode_OtherFile_IsRefused(string start)
    {
        var decode = () => PictureFile.Decode([.. System.Text.Encoding.ASCII.GetBytes(start), .. new byte[100]], Limit);

        decode.Should().Throw<PictureFormatException>().WithMessage("The file is no PNG, JPEG or WebP picture*");
    }

    [Fact]
    public void Decode_SmallFileThatStatesAHugeSize_IsRefusedBeforeItTakesMemory()
    {
        byte[] file = PngWriter.Write(TestPictures.Quarters(4, 4), []);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(16), 60_000);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(20), 60_000);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(29), Crc32.HashToUInt32(file.AsSpan(12, 17)));
        long before = GC.GetTotalAllocatedBytes();

        var decode = () => PictureFile.Decode(file, Limit);

        decode.Should().Throw<PictureFormatException>().WithMessage("The picture is of 60000x60000 pixels; at most 1048576*");
        (GC.GetTotalAllocatedBytes() - before).Should().BeLessThan(100_000_000);
    }

    private static char ColourAt(Picture picture, int x, int y)
    {
        var pixel = picture.Rgb.AsSpan(3 * (y * picture.Width + x), 3);
        return (pixel[0] > 128, pixel[1] > 128, pixel[2] > 128) switch
        {
            (true, false, false) => 'R',
            (false, true, false) => 'G',
            (false, false, true) => 'B',
            (true, true, true) => 'W',
            _ => '?',
        };
    }
}
