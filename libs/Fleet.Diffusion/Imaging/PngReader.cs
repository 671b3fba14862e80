using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Fleet.Diffusion.Imaging;

/// <summary>Reads what <see cref="PngWriter"/> writes, and the text records of any PNG file.</summary>
public static class PngReader
{
    private const int MaxTextBytes = 1024 * 1024;
    private const long MaxPixels = 1 << 26;

    /// <summary>Text records (tEXt, zTXt, iTXt) in the order of the file. Throws <see cref="PictureFormatException"/> for a file that is damaged or no PNG.</summary>
    public static IReadOnlyList<TextRecord> ReadText(ReadOnlyMemory<byte> file)
    {
        var records = new List<TextRecord>();
        foreach (var chunk in PngChunk.ReadAll(file))
        {
            if (chunk.Type is "tEXt" or "zTXt" or "iTXt")
            {
                records.Add(ReadText(chunk));
            }
        }

        return records;
    }

    /// <summary>The pixels of an 8-bit RGB file that is not interlaced. Throws <see cref="PictureFormatException"/> for any other.</summary>
    public static Picture ReadPicture(ReadOnlyMemory<byte> file)
    {
        var (width, height) = (0, 0);
        using var compressed = new MemoryStream();
        foreach (var chunk in PngChunk.ReadAll(file))
        {
            switch (chunk.Type)
            {
                case "IHDR":
                    (width, height) = ReadHeader(chunk.Data.Span);
                    break;
                case "IDAT":
                    compressed.Write(chunk.Data.Span);
                    break;
            }
        }

        if (width == 0)
        {
            throw new PictureFormatException("The PNG file is damaged: it has no header.");
        }

        compressed.Position = 0;
        return new Picture(width, height, ReadPixels(compressed, width, height));
    }

    private static (int Width, int Height) ReadHeader(ReadOnlySpan<byte> header)
    {
        if (header.Length != 13 || !header[8..].SequenceEqual((ReadOnlySpan<byte>)[8, 2, 0, 0, 0]))
        {
            throw new PictureFormatException("The PNG file is not 8-bit RGB without interlacing, the one form that is read here.");
        }

        var (width, height) = (BinaryPrimitives.ReadUInt32BigEndian(header), BinaryPrimitives.ReadUInt32BigEndian(header[4..]));
        if (width < 1 || height < 1 || (ulong)width * height > MaxPixels)
        {
            throw new PictureFormatException($"The PNG file states a size of {width}x{height}; 1 to {MaxPixels} pixels are read.");
        }

        return ((int)width, (int)height);
    }

    private static byte[] ReadPixels(Stream compressed, int width, int height)
    {
        var stride = 3 * width;
        var rgb = new byte[stride * height];
        var above = new byte[stride].AsSpan();
        using var zlib = new ZLibStream(compressed, CompressionMode.Decompress);
        try
        {
            for (var y = 0; y < height; y++)
            {
                var filter = zlib.ReadByte();
                var row = rgb.AsSpan(y * stride, stride);
                zlib.ReadExactly(row);
                PngFilter.Undo((byte)filter, row, above);
                above = row;
            }
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidDataException)
        {
            throw new PictureFormatException($"The PNG file is damaged: its pixels do not unpack to {width}x{height}.", e);
        }

        return rgb;
    }

    // keyword 0 text | keyword 0 method deflated-text | keyword 0 compressed method language 0 translated-keyword 0 UTF-8 text
    private static TextRecord ReadText(PngChunk chunk)
    {
        var keyword = Encoding.Latin1.GetString(Field(chunk.Data, out var rest).Span);
        if (chunk.Type == "tEXt")
        {
            return new TextRecord(keyword, Encoding.Latin1.GetString(rest.Span));
        }

        if (chunk.Type == "zTXt" && rest.Length > 0)
        {
            return new TextRecord(keyword, Encoding.Latin1.GetString(Inflate(rest[1..], keyword)));
        }

        if (chunk.Type == "iTXt" && rest.Length > 2)
        {
            var compressed = rest.Span[0] != 0;
            _ = Field(rest[2..], out var afterLanguage);
            _ = Field(afterLanguage, out var text);
            return new TextRecord(keyword, Encoding.UTF8.GetString(compressed ? Inflate(text, keyword) : text.Span));
        }

        throw new PictureFormatException($"The PNG file is damaged: its text record '{keyword}' has no text.");
    }

    private static ReadOnlyMemory<byte> Field(ReadOnlyMemory<byte> data, out ReadOnlyMemory<byte> rest)
    {
        var end = data.Span.IndexOf((byte)0);
        if (end < 0)
        {
            throw new PictureFormatException("The PNG file is damaged: a text record is cut off.");
        }

        rest = data[(end + 1)..];
        return data[..end];
    }

    private static ReadOnlySpan<byte> Inflate(ReadOnlyMemory<byte> compressed, string keyword)
    {
        using var zlib = new ZLibStream(new MemoryStream(compressed.ToArray()), CompressionMode.Decompress);
        var text = new byte[MaxTextBytes + 1];
        try
        {
            var length = zlib.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            return length <= MaxTextBytes
                ? text.AsSpan(0, length)
                : throw new PictureFormatException($"The text record '{keyword}' unpacks to more than {MaxTextBytes} bytes.");
        }
        catch (InvalidDataException e)
        {
            throw new PictureFormatException($"The PNG file is damaged: its text record '{keyword}' does not unpack.", e);
        }
    }
}
