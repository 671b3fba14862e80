using System.Runtime.Intrinsics;

namespace Fleet.Diffusion.Imaging;

// PNG's row filters (ISO/IEC 15948, clause 9) for 3 bytes per pixel: each byte is written as its difference from a guess
// made of the bytes to the left (a), above (b) and above left (c).
internal static class PngFilter
{
    public const byte None = 0, Sub = 1, Up = 2, Average = 3, Paeth = 4;

    private const int Pixel = 3;

    // A row as Apply reads it: one black pixel, the row, and zeros up to a whole number of vectors.
    public static byte[] NewRow(int stride) => new byte[Pixel + Padded(stride)];

    public static Span<byte> Content(byte[] row, int stride) => row.AsSpan(Pixel, stride);

    // The sum of the magnitudes of the filtered bytes: where it is small, the row mostly compresses well.
    public static long Apply(byte filter, byte[] row, byte[] above, Span<byte> filtered)
    {
        var whole = new byte[Padded(filtered.Length)];
        for (var i = 0; i < whole.Length; i += Vector128<byte>.Count)
        {
            var (a, b, c) = (Load(row, i), Load(above, i + Pixel), Load(above, i));
            var guess = filter switch { Sub => a, Up => b, _ => Nearest(a, b, c) };
            (Load(row, i + Pixel) - guess).CopyTo(whole, i);
        }

        whole.AsSpan(0, filtered.Length).CopyTo(filtered);
        whole.AsSpan(filtered.Length).Clear();
        var sum = 0L;
        for (var i = 0; i < whole.Length; i += Vector128<byte>.Count)
        {
            var magnitudes = Vector128.Abs(Load(whole, i).AsSByte()).AsByte();
            sum += Vector128.Sum(Vector128.WidenLower(magnitudes) + Vector128.WidenUpper(magnitudes));
        }

        return sum;
    }

    public static void Undo(byte filter, Span<byte> row, ReadOnlySpan<byte> above)
    {
        for (var i = 0; i < row.Length; i++)
        {
            var (a, c) = i < Pixel ? ((byte)0, (byte)0) : (row[i - Pixel], above[i - Pixel]);
            row[i] += filter switch
            {
                None => 0,
                Sub => a,
                Up => above[i],
                Average => (byte)((a + above[i]) / 2),
                Paeth => Nearest(a, above[i], c),
                _ => throw new PictureFormatException($"The PNG file is damaged: {filter} is not a row filter; they are 0 to 4."),
            };
        }
    }

    // Of a, b and c the one nearest to a + b - c, in that order when two are equally near.
    private static byte Nearest(byte a, byte b, byte c)
    {
        var (toA, toB, toC) = (Math.Abs(b - c), Math.Abs(a - c), Math.Abs(a + b - 2 * c));
        return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }

    // The same in bytes. |a + b - 2c| is the sum of the other two distances when a and b lie on one side of c, and then the
    // largest of the three, so that any number as large will do; else it is their difference.
    private static Vector128<byte> Nearest(Vector128<byte> a, Vector128<byte> b, Vector128<byte> c)
    {
        var (toA, toB) = (Distance(b, c), Distance(a, c));
        var oneSide = Vector128.Equals(Vector128.LessThan(a, c), Vector128.LessThan(b, c));
        var toC = Vector128.ConditionalSelect(oneSide, Vector128<byte>.AllBitsSet, Distance(toA, toB));
        var takeA = Vector128.LessThanOrEqual(toA, toB) & Vector128.LessThanOrEqual(toA, toC);
        return Vector128.ConditionalSelect(takeA, a, Vector128.ConditionalSelect(Vector128.LessThanOrEqual(toB, toC), b, c));
    }

    private static Vector128<byte> Distance(Vector128<byte> a, Vector128<byte> b) => Vector128.Max(a, b) - Vector128.Min(a, b);

    private static Vector128<byte> Load(byte[] row, int at) => Vector128.Create(row, at);

    private static int Padded(int length) => (length + Vector128<byte>.Count - 1) / Vector128<byte>.Count * Vector128<byte>.Count;
}
