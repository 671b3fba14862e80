namespace Fleet.Diffusion.Imaging;

/// <summary>One channel of a picture, rows from the top.</summary>
internal readonly record struct Plane(int Width, int Height, double[] Values)
{
    public ReadOnlySpan<double> Row(int y) => Values.AsSpan(y * Width, Width);
}
