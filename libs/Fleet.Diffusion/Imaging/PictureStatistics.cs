namespace Fleet.Diffusion.Imaging;

/// <summary>What all pixels of a picture have together, over the three channels, 0 to 255.</summary>
/// <param name="Mean">Mean of all values.</param>
/// <param name="StandardDeviation">Of all values.</param>
/// <param name="Minimum">Smallest value.</param>
/// <param name="Maximum">Largest value.</param>
/// <param name="LargestRange">Largest difference of two pixels in the same channel; 0 for a picture of one colour.</param>
public readonly record struct PictureStatistics(double Mean, double StandardDeviation, int Minimum, int Maximum, int LargestRange)
{
    /// <summary>Those of a picture.</summary>
    public static PictureStatistics Of(Picture picture)
    {
        Span<int> minimum = [255, 255, 255];
        Span<int> maximum = [0, 0, 0];
        long sum = 0;
        long squares = 0;
        var channel = 0;
        foreach (int value in picture.Rgb)
        {
            sum += value;
            squares += value * value;
            minimum[channel] = Math.Min(minimum[channel], value);
            maximum[channel] = Math.Max(maximum[channel], value);
            channel = channel == 2 ? 0 : channel + 1;
        }

        var mean = (double)sum / picture.Rgb.Length;
        var variance = (double)squares / picture.Rgb.Length - mean * mean;
        var range = Math.Max(maximum[0] - minimum[0], Math.Max(maximum[1] - minimum[1], maximum[2] - minimum[2]));
        return new PictureStatistics(
            mean,
            Math.Sqrt(Math.Max(variance, 0)),
            Math.Min(minimum[0], Math.Min(minimum[1], minimum[2])),
            Math.Max(maximum[0], Math.Max(maximum[1], maximum[2])),
            range);
    }
}
