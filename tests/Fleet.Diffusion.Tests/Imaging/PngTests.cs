using System.IO.Compression;
using System.Text;
using Fleet.Diffusion.Imaging;

namespace Fleet.Diffusion.Tests.Imaging;

public sealed class PngTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)] // rows shorter than a vector
    [InlineData(64, 48)]
    [InlineData(131, 7)]
    public void ReadPicture_OfWrittenNoiseAndGradients_GivesThePixelsBack(int width, int height)
    {
        foreach (var picture in new[] { Noise(width, height), Gradient(width, height) })
        {
            var read = PngReader.ReadPicture(PngWriter.Write(picture, []));

            (read.Width, read.Height).Should().Be((width, height));
            read.Rgb.Should().Equal(picture.Rgb);
        }
    }

    [Fact]
    public void ReadPicture_RowsOfEveryFilter_AreUndone()
    {
        // 2x5, each row the bytes 10 20 30 40 50 60, filtered by hand from ISO/IEC 15948, clause 9.
        byte[] rows =
        [
            0, 10, 20, 30, 40, 50, 60,
            1, 10, 20, 30, 30, 30, 30,
            2, 0, 0, 0, 0, 0, 0,
            3, 5, 10, 15, 15, 15, 15,
            4, 0, 0, 0, 0, 0, 0,
        ];

        var picture = PngReader.ReadPicture(File(2, 5, rows));

        picture.Rgb.Chunk(6).Should().AllSatisfy(row => row.Should().Equal(10, 20, 30, 40, 50, 60));
    }

    [Fact]
    public void Write_SamePicture_GivesTheSameBytes()
    {
        var picture = Noise(40, 30);

        PngWriter.Write(picture, [new("a", "b")]).Should().Equal(PngWriter.Write(picture, [new("a", "b")]));
    }

    [Fact]
    public void ReadText_OfWrittenRecords_GivesThemBackInOrder()
    {
        TextRecord[] records = [new("parameters", "a fox\nSteps: 20, Größe"), new("fleet", "{\"prompt\":\"日本 🙂\"}"), new("empty", "")];

        PngReader.ReadText(PngWriter.Write(Noise(4, 4), records)).Should().Equal(records);
    }

    [Theory]
    [InlineData("Latin-1: ÿ\n", "tEXt")]
    [InlineData("tab:\t", "iTXt")]
    [InlineData("日本", "iTXt")]
    public void Write_Text_UsesTheChunkThatCanHoldIt(string text, string type)
    {
        byte[] file = PngWriter.Write(Noise(4, 4), [new("k", text)]);

        PngChunk.ReadAll(file).Select(chunk => chunk.Type).Should().Equal("IHDR", type, "IDAT");
    }

    [Fact]
    public void ReadText_CompressedRecords_AreUnpacked()
    {
        byte[] file = Chunks(
            ("zTXt", [.. "a"u8, 0, 0, .. Deflated("Grüße"u8.ToArray(), latin1: true)]),
            ("iTXt", [.. "b"u8, 0, 1, 0, .. "de"u8, 0, .. "B"u8, 0, .. Deflated("日本"u8.ToArray())]));

        PngReader.ReadText(file).Should().Equal(new TextRecord("a", "Grüße"), new TextRecord("b", "日本"));
    }

    [Fact]
    public void ReadText_RecordThatUnpacksToMegabytes_IsRefused()
    {
        byte[] file = Chunks(("zTXt", [.. "a"u8, 0, 0, .. Deflated(new byte[4_000_000])]));
        var read = () => PngReader.ReadText(file);

        read.Should().Throw<PictureFormatException>().WithMessage("The text record 'a' unpacks to more than*");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" a")]
    [InlineData("a  b")]
    [InlineData("a\nb")]
    [InlineData("日")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123456789012345678x")]
    public void Write_KeywordThatPngCannotHold_IsRefused(string keyword)
    {
        var write = () => PngWriter.Write(Noise(2, 2), [new(keyword, "text")]);

        write.Should().Throw<PictureFormatException>().WithMessage("*is not a PNG keyword*");
    }

    [Fact]
    public void ReadPicture_FileCutAnywhere_IsRefused()
    {
        byte[] file = PngWriter.Write(Noise(9, 9), [new("k", "text")]);

        for (int length = 0; length < file.Length; length++)
        {
            var read = () => PngReader.ReadPicture(file.AsMemory(0, length));
            read.Should().Throw<PictureFormatException>();
        }
    }

    [Fact]
    public void ReadPicture_OneBitFlippedAnywhere_IsRefused()
    {
        byte[] file = PngWriter.Write(Gradient(9, 9), [new("k", "text")]);

        for (int i = 0; i < file.Length; i++)
        {
            file[i] ^= 4;
            var read = () => PngReader.ReadPicture(file);
            read.Should().Throw<PictureFormatException>();
            file[i] ^= 4;
        }
    }

    [Theory]
    [InlineData(2, 3)] // more rows than the data have
    [InlineData(70_000, 70_000)]
    public void ReadPicture_HeaderThatLiesAboutTheSize_IsRefused(int width, int height)
    {
        var read = () => PngReader.ReadPicture(File(width, height, new byte[14]));

        read.Should().Throw<PictureFormatException>().WithMessage($"*{width}x{height}*");
    }

    private static Picture Noise(int width, int height)
    {
        byte[] rgb = new byte[3 * width * height];
        new Random(7).NextBytes(rgb);
        return new Picture(width, height, rgb);
    }

    private static Picture Gradient(int width, int height) =>
        new(width, height, [.. Enumerable.Range(0, 3 * width * height).Select(i => (byte)(i % 3 * 40 + i / 3 % width * 2 + i / 3 / width * 5))]);

    private static byte[] File(int width, int height, byte[] rows)
    {
        byte[] header = [.. BigEndian(width), .. BigEndian(height), 8, 2, 0, 0, 0];
        return Chunks(("IHDR", header), ("IDAT", Deflated(rows)));
    }

    private static byte[] Chunks(params (string Type, byte[] Data)[] chunks)
    {
        using var file = new MemoryStream();
        file.Write(PngChunk.Signature);
        foreach (var (type, data) in chunks)
        {
            PngChunk.Write(file, type, data);
        }

        PngChunk.Write(file, "IEND", []);
        return file.ToArray();
    }

    private static byte[] Deflated(byte[] data, bool latin1 = false)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zlib.Write(latin1 ? Encoding.Latin1.GetBytes(Encoding.UTF8.GetString(data)) : data);
        }

        return compressed.ToArray();
    }

    private static byte[] BigEndian(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
}
