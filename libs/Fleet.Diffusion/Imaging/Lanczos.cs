namespace Fleet.Diffusion.Imaging;

// Separable resampling of 8-bit RGB with a Lanczos window of 3, across and then down. Weights are fixed-point and the rows in
// between are 8-bit, as in Pillow, whose LANCZOS is what diffusers resizes with: the bytes come out equal.
internal static class Lanczos
{
    private const double Window = 3;
    private const int Channels = 3;
    private const int FractionBits = 22;

    public static byte[] Resize(byte[] rgb, int width, int height, int newWidth, int newHeight)
    {
        var across = width == newWidth ? rgb : Across(rgb, width, height, newWidth);
        return height == newHeight ? across : Down(across, newWidth, height, newHeight);
    }

    private static byte[] Across(byte[] rgb, int width, int height, int newWidth)
    {
        var taps = Taps(width, newWidth);
        var resized = new byte[newWidth * height * Channels];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < newWidth; x++)
            {
                var from = (y * width + taps[x].First) * Channels;
                Weigh(rgb, from, Channels, taps[x].Weights, resized.AsSpan((y * newWidth + x) * Channels, Channels));
            }
        }

        return resized;
    }

    private static byte[] Down(byte[] rgb, int width, int height, int newHeight)
    {
        var taps = Taps(height, newHeight);
        var stride = width * Channels;
        var resized = new byte[stride * newHeight];
        for (var y = 0; y < newHeight; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var from = taps[y].First * stride + x * Channels;
                Weigh(rgb, from, stride, taps[y].Weights, resized.AsSpan(y * stride + x * Channels, Channels));
            }
        }

        return resized;
    }

    // One pixel: the weighted sum of pixels that lie step bytes apart.
    private static void Weigh(byte[] rgb, int from, int step, int[] weights, Span<byte> pixel)
    {
        const int Half = 1 << (FractionBits - 1);
        var (red, green, blue) = (Half, Half, Half);
        foreach (var weight in weights)
        {
            red += rgb[from] * weight;
            green += rgb[from + 1] * weight;
            blue += rgb[from + 2] * weight;
            from += step;
        }

        pixel[0] = (byte)Math.Clamp(red >> FractionBits, 0, 255);
        pixel[1] = (byte)Math.Clamp(green >> FractionBits, 0, 255);
        pixel[2] = (byte)Math.Clamp(blue >> FractionBits, 0, 255);
    }

    // For each new pixel, the first old pixel that it sees and the weights from there on. When shrinking, the window widens.
    private static (int First, int[] Weights)[] Taps(int size, int newSize)
    {
        var scale = (double)size / newSize;
        var stretch = Math.Max(scale, 1);
        var taps = new (int, int[])[newSize];
        for (var i = 0; i < newSize; i++)
        {
            var centre = (i + 0.5) * scale;
            var first = Math.Max((int)(centre - Window * stretch + 0.5), 0);
            var end = Math.Min((int)(centre + Window * stretch + 0.5), size);
            var weights = Enumerable.Range(first, end - first).Select(x => Kernel((x - centre + 0.5) / stretch)).ToArray();
            var sum = weights.Sum();
            taps[i] = (first, [.. weights.Select(weight => Fixed(weight / sum))]);
        }

        return taps;
    }

    private static double Kernel(double x) => Math.Abs(x) < Window ? Sinc(x) * Sinc(x / Window) : 0;

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x);

    private static int Fixed(double weight) => (int)(weight * (1 << FractionBits) + (weight < 0 ? -0.5 : 0.5));
}
