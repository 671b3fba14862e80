using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Fleet.Diffusion.Imaging;

/// <summary>Writes PNG files: 8-bit RGB, text records before the pixels. Equal input gives equal bytes on one build and machine.</summary>
public static class PngWriter
{
    private static readonly byte[] Filters = [PngFilter.Sub, PngFilter.Up, PngFilter.Paeth];

    /// <summary>The bytes of a PNG file. Throws <see cref="PictureFormatException"/> for a keyword or text that PNG cannot hold.</summary>
    public static byte[] Write(Picture picture, IReadOnlyList<TextRecord> text)
    {
        using var file = new MemoryStream(picture.Rgb.Length / 2 + 1024);
        file.Write(PngChunk.Signature);
        PngChunk.Write(file, "IHDR", Header(picture));
        foreach (var record in text)
        {
            WriteText(file, record);
        }

        PngChunk.Write(file, "IDAT", Compress(picture));
        PngChunk.Write(file, "IEND", []);
        return file.ToArray();
    }

    /// <summary>Makes sure that PNG can hold a record. Throws <see cref="PictureFormatException"/> if not.</summary>
    public static void Check(TextRecord record)
    {
        var keyword = record.Keyword;
        var printable = keyword.All(character => character is (>= ' ' and <= '~') or (> '\u00A0' and <= '\u00FF'));
        if (keyword.Length is < 1 or > 79 || !printable || keyword.Trim(' ') != keyword || keyword.Contains("  ", StringComparison.Ordinal))
        {
            throw new PictureFormatException(
                $"'{keyword}' is not a PNG keyword: 1 to 79 printable Latin-1 characters without leading, trailing or double spaces.");
        }

        if (record.Text.Contains('\0', StringComparison.Ordinal))
        {
            throw new PictureFormatException($"The text of record '{keyword}' contains a NUL character, which PNG cannot hold.");
        }
    }

    private static byte[] Header(Picture picture)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, picture.Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), picture.Height);
        header[8] = 8;  // bits per sample
        header[9] = 2;  // RGB
        return header;
    }

    // tEXt for what it can hold, since more programs read it; else iTXt, uncompressed and without a language.
    private static void WriteText(Stream file, TextRecord record)
    {
        Check(record);
        var keyword = Encoding.Latin1.GetBytes(record.Keyword);
        if (record.Text.All(character => character is '\n' or (>= ' ' and <= '~') or (>= '\u00A0' and <= '\u00FF')))
        {
            PngChunk.Write(file, "tEXt", [.. keyword, 0, .. Encoding.Latin1.GetBytes(record.Text)]);
        }
        else
        {
            PngChunk.Write(file, "iTXt", [.. keyword, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(record.Text)]);
        }
    }

    private static byte[] Compress(Picture picture)
    {
        // Filtered rows of photographs hold few repetitions but runs: this strategy is the fastest on them and the smallest.
        var options = new ZLibCompressionOptions { CompressionStrategy = ZLibCompressionStrategy.RunLengthEncoding };
        using var compressed = new MemoryStream(picture.Rgb.Length / 2);
        using (var zlib = new ZLibStream(compressed, options, leaveOpen: true))
        {
            var stride = 3 * picture.Width;
            var (row, above) = (PngFilter.NewRow(stride), PngFilter.NewRow(stride));
            var (best, trial) = (new byte[1 + stride], new byte[1 + stride]);
            for (var y = 0; y < picture.Height; y++)
            {
                picture.Rgb.AsSpan(y * stride, stride).CopyTo(PngFilter.Content(row, stride));
                var smallest = long.MaxValue;
                foreach (var filter in Filters)
                {
                    trial[0] = filter;
                    var sum = PngFilter.Apply(filter, row, above, trial.AsSpan(1));
                    if (sum < smallest)
                    {
                        smallest = sum;
                        (best, trial) = (trial, best);
                    }
                }

                zlib.Write(best);
                (row, above) = (above, row);
            }
        }

        return compressed.ToArray();
    }
}
