using System.Buffers.Binary;
using System.Text;

namespace Fleet.Diffusion.Imaging;

// PNG's outer form (ISO/IEC 15948, clause 5): a signature, then chunks of length, type, data and CRC-32.
internal readonly record struct PngChunk(string Type, ReadOnlyMemory<byte> Data)
{
    private const int Overhead = 12;

    private static readonly uint[] CrcTable = MakeCrcTable();

    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static void Write(Stream file, string type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        var name = Encoding.ASCII.GetBytes(type);
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(name);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, name), data));
        file.Write(number);
    }

    // All chunks up to IEND.
    public static IEnumerable<PngChunk> ReadAll(ReadOnlyMemory<byte> file)
    {
        if (!file.Span.StartsWith(Signature))
        {
            throw new PictureFormatException("The file is not a PNG: its first 8 bytes are not the PNG signature.");
        }

        var position = Signature.Length;
        while (true)
        {
            var chunk = ReadAt(file, position);
            if (chunk.Type == "IEND")
            {
                yield break;
            }

            yield return chunk;
            position += chunk.Data.Length + Overhead;
        }
    }

    private static PngChunk ReadAt(ReadOnlyMemory<byte> file, int position)
    {
        var rest = file.Span[position..];
        var length = rest.Length < Overhead ? uint.MaxValue : BinaryPrimitives.ReadUInt32BigEndian(rest);
        if (length > rest.Length - Overhead)
        {
            throw new PictureFormatException($"The PNG file is cut off: the chunk at byte {position} goes on beyond its end.");
        }

        var checkedBytes = rest.Slice(4, 4 + (int)length);
        if (BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + (int)length)..]) != ~Crc(uint.MaxValue, checkedBytes))
        {
            throw new PictureFormatException($"The PNG file is damaged: the chunk at byte {position} has another CRC than it states.");
        }

        return new PngChunk(Encoding.Latin1.GetString(checkedBytes[..4]), file.Slice(position + 8, (int)length));
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        foreach (var value in data)
        {
            crc = CrcTable[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return crc;
    }

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (uint value = 0; value < 256; value++)
        {
            table[value] = value;
            for (var bit = 0; bit < 8; bit++)
            {
                table[value] = (table[value] & 1) != 0 ? 0xEDB88320 ^ (table[value] >> 1) : table[value] >> 1;
            }
        }

        return table;
    }
}
