namespace Fleet.Diffusion.Sampling;

/// <summary>Evenly spaced numbers and straight lines between numbers, rounded as NumPy rounds them.</summary>
internal static class Grid
{
    public static double[] Linspace(double start, double stop, int count)
    {
        double step = count > 1 ? (stop - start) / (count - 1) : 0;
        var values = new double[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = i * step + start;
        }

        if (count > 1)
        {
            values[^1] = stop;
        }

        return values;
    }

    /// <summary>The value at x of the line through (0, ys[0]), (1, ys[1]), ...; beyond the ends, the end.</summary>
    public static double Interpolate(double x, IReadOnlyList<float> ys)
    {
        if (x <= 0)
        {
            return ys[0];
        }

        int below = (int)Math.Floor(x);
        return below >= ys.Count - 1 ? ys[^1] : ((double)ys[below + 1] - ys[below]) * (x - below) + ys[below];
    }
}
