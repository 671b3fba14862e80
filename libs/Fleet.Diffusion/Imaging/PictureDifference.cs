namespace Fleet.Diffusion.Imaging;

/// <summary>How far two pictures of one size are from each other.</summary>
public static class PictureDifference
{
    private const double Range = 255;

    /// <summary>Peak signal-to-noise ratio in decibels, over all pixels and channels; infinite for equal pictures.</summary>
    /// <exception cref="ArgumentException">The pictures are of different sizes.</exception>
    public static double PeakSignalToNoise(Picture first, Picture second)
    {
        RequireOneSize(first, second);
        long sum = 0;
        for (var i = 0; i < first.Rgb.Length; i++)
        {
            var difference = first.Rgb[i] - second.Rgb[i];
            sum += difference * difference;
        }

        return PeakSignalToNoise((double)sum / first.Rgb.Length, Range);
    }

    /// <summary>Structural similarity, -1 to 1: mean over the places of the window that lie inside the picture, and over channels.</summary>
    /// <exception cref="ArgumentException">The pictures are of different sizes.</exception>
    public static double StructuralSimilarity(Picture first, Picture second, SimilarityWindow window)
    {
        RequireOneSize(first, second);
        var sum = 0.0;
        for (var channel = 0; channel < 3; channel++)
        {
            sum += StructuralSimilarity(Channel(first, channel), Channel(second, channel), Range, window);
        }

        return sum / 3;
    }

    internal static double PeakSignalToNoise(double meanSquaredError, double range) => 10 * Math.Log10(range * range / meanSquaredError);

    // Wang, Bovik, Sheikh, Simoncelli: Image Quality Assessment: From Error Visibility to Structural Similarity (2004), equation 13.
    internal static double StructuralSimilarity(Plane first, Plane second, double range, SimilarityWindow window)
    {
        var (c1, c2) = (0.01 * range * 0.01 * range, 0.03 * range * 0.03 * range);
        var (across, down) = (window.Along(first.Width), window.Along(first.Height));
        double n = across.Length * down.Length;
        var correction = window.SampleVariance && n > 1 ? n / (n - 1) : 1;

        var moments = new WindowedMoments(first.Width, across, down);
        var sum = 0.0;
        for (var y = 0; y < first.Height; y++)
        {
            moments.Add(first.Row(y), second.Row(y));
            for (var x = 0; moments.Full && x < moments.Width; x++)
            {
                var (mean1, mean2) = (moments.First[x], moments.Second[x]);
                var variance1 = correction * (moments.FirstSquared[x] - mean1 * mean1);
                var variance2 = correction * (moments.SecondSquared[x] - mean2 * mean2);
                var covariance = correction * (moments.Product[x] - mean1 * mean2);
                sum += (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
                    / ((mean1 * mean1 + mean2 * mean2 + c1) * (variance1 + variance2 + c2));
            }
        }

        return sum / ((double)moments.Width * (first.Height - down.Length + 1));
    }

    private static Plane Channel(Picture picture, int channel)
    {
        var values = new double[picture.Width * picture.Height];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = picture.Rgb[3 * i + channel];
        }

        return new Plane(picture.Width, picture.Height, values);
    }

    private static void RequireOneSize(Picture first, Picture second)
    {
        if (first.Width != second.Width || first.Height != second.Height)
        {
            throw new ArgumentException($"Pictures of {first.Width}x{first.Height} and {second.Width}x{second.Height} cannot be compared.", nameof(second));
        }
    }
}
