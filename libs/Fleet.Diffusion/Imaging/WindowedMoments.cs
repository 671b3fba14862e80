using System.Numerics;
using System.Runtime.InteropServices;

namespace Fleet.Diffusion.Imaging;

// Weighted means of x, y, x², y² and xy over a window that moves down two planes. Separable: each new row is summed across once and
// kept as long as a window needs it, so memory is that of a few rows.
internal sealed class WindowedMoments
{
    private const int Kinds = 5;
    private readonly double[] across;
    private readonly double[] down;
    private readonly double[][] products; // of the newest row
    private readonly double[][][] rows; // kind, row modulo the window's height
    private readonly double[][] means;
    private int added;

    public WindowedMoments(int planeWidth, double[] across, double[] down)
    {
        (this.across, this.down) = (across, down);
        Width = planeWidth - across.Length + 1;
        products = NewRows(Kinds, planeWidth);
        means = NewRows(Kinds, Width);
        rows = [.. Enumerable.Range(0, Kinds).Select(_ => NewRows(down.Length, Width))];
    }

    /// <summary>Places of the window in a row.</summary>
    public int Width { get; }

    /// <summary>The window has all its rows; the means are those of its place.</summary>
    public bool Full => added >= down.Length;

    public double[] First => means[0];

    public double[] Second => means[1];

    public double[] FirstSquared => means[2];

    public double[] SecondSquared => means[3];

    public double[] Product => means[4];

    public void Add(ReadOnlySpan<double> first, ReadOnlySpan<double> second)
    {
        for (var x = 0; x < first.Length; x++)
        {
            var (a, b) = (first[x], second[x]);
            products[0][x] = a;
            products[1][x] = b;
            products[2][x] = a * a;
            products[3][x] = b * b;
            products[4][x] = a * b;
        }

        var slot = added++ % down.Length;
        for (var kind = 0; kind < Kinds; kind++)
        {
            var summed = rows[kind][slot];
            Array.Clear(summed);
            for (var i = 0; i < across.Length; i++)
            {
                AddWeighted(summed, products[kind].AsSpan(i, Width), across[i]);
            }
        }

        if (Full)
        {
            TakeMeans();
        }
    }

    private void TakeMeans()
    {
        for (var kind = 0; kind < Kinds; kind++)
        {
            Array.Clear(means[kind]);
            for (var i = 0; i < down.Length; i++)
            {
                AddWeighted(means[kind], rows[kind][(added + i) % down.Length], down[i]);
            }
        }
    }

    private static void AddWeighted(Span<double> sum, ReadOnlySpan<double> row, double weight)
    {
        var sums = MemoryMarshal.Cast<double, Vector<double>>(sum);
        var values = MemoryMarshal.Cast<double, Vector<double>>(row);
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] += values[i] * weight;
        }

        for (var i = sums.Length * Vector<double>.Count; i < sum.Length; i++)
        {
            sum[i] += row[i] * weight;
        }
    }

    private static double[][] NewRows(int count, int width) => [.. Enumerable.Range(0, count).Select(_ => new double[width])];
}
