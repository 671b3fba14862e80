namespace Fleet.Diffusion.Imaging;

/// <summary>The neighbourhood over which structural similarity takes its means and variances.</summary>
public sealed class SimilarityWindow
{
    private readonly Func<int, double[]> weights;

    private SimilarityWindow(int size, bool sampleVariance, Func<int, double[]> weights)
    {
        Size = size;
        SampleVariance = sampleVariance;
        this.weights = weights;
    }

    /// <summary>11x11 with Gaussian weights of standard deviation 1.5: Wang et al. 2004.</summary>
    public static SimilarityWindow Gaussian { get; } = new(11, sampleVariance: false, GaussianWeights);

    /// <summary>7x7 with equal weights and sample variances, which scikit-image uses when nothing else is asked for.</summary>
    public static SimilarityWindow Uniform { get; } = new(7, sampleVariance: true, length => [.. Enumerable.Repeat(1.0 / length, length)]);

    /// <summary>Pixels a side.</summary>
    internal int Size { get; }

    /// <summary>Variances are divided by n - 1 instead of n.</summary>
    internal bool SampleVariance { get; }

    /// <summary>Weights along a side of a picture, their sum 1: as many as the window has, or as the picture has where it is smaller.</summary>
    internal double[] Along(int side) => weights(Math.Min(Size, side));

    private static double[] GaussianWeights(int length)
    {
        const double StandardDeviation = 1.5;
        var values = Enumerable.Range(0, length).Select(i => (i - (length - 1) / 2.0) / StandardDeviation).Select(x => Math.Exp(-x * x / 2)).ToArray();
        var sum = values.Sum();
        return [.. values.Select(value => value / sum)];
    }
}
