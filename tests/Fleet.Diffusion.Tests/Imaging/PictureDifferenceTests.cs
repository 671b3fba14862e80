using Fleet.Diffusion.Imaging;

namespace Fleet.Diffusion.Tests.Imaging;

public class PictureDifferenceTests
{
    [Fact]
    public void PeakSignalToNoise_OneLevelEverywhere_IsThatOfAnErrorOfOne() =>
        PictureDifference.PeakSignalToNoise(Filled(16, 16, 100), Filled(16, 16, 101)).Should().BeApproximately(20 * Math.Log10(255), 1e-12);

    [Fact]
    public void PeakSignalToNoise_EqualPictures_IsInfinite() =>
        PictureDifference.PeakSignalToNoise(Noise(16, 16, 1), Noise(16, 16, 1)).Should().Be(double.PositiveInfinity);

    [Fact]
    public void StructuralSimilarity_EqualPictures_IsOne() =>
        PictureDifference.StructuralSimilarity(Noise(40, 24, 1), Noise(40, 24, 1), SimilarityWindow.Gaussian).Should().Be(1);

    [Fact]
    public void StructuralSimilarity_FlatPictures_IsTheLuminanceTerm()
    {
        const double C1 = 0.01 * 255 * 0.01 * 255;
        double expected = (2 * 100.0 * 120 + C1) / (100.0 * 100 + 120.0 * 120 + C1);

        double similarity = PictureDifference.StructuralSimilarity(Filled(20, 20, 100), Filled(20, 20, 120), SimilarityWindow.Gaussian);

        similarity.Should().BeApproximately(expected, 1e-9);
    }

    [Fact]
    public void StructuralSimilarity_Negative_IsBelowZero()
    {
        var picture = Noise(40, 40, 1);
        var negative = new Picture(40, 40, [.. picture.Rgb.Select(value => (byte)(255 - value))]);

        PictureDifference.StructuralSimilarity(picture, negative, SimilarityWindow.Gaussian).Should().BeLessThan(-0.9);
    }

    // With a window as large as the picture there is one place, and the formula can be written down.
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    public void StructuralSimilarity_PictureSmallerThanTheWindow_IsThatOfTheWholePicture(int width, int height)
    {
        var first = Gray(Noise(width, height, 1));
        var second = Gray(Noise(width, height, 2));

        double similarity = PictureDifference.StructuralSimilarity(first, second, SimilarityWindow.Uniform);

        similarity.Should().BeApproximately(OnePlace(first, second), 1e-9);
    }

    [Fact]
    public void StructuralSimilarity_AnotherSize_IsRefusedWithBothSizes()
    {
        var compare = () => PictureDifference.StructuralSimilarity(Filled(8, 8, 0), Filled(8, 9, 0), SimilarityWindow.Gaussian);

        compare.Should().Throw<ArgumentException>().WithMessage("*8x8 and 8x9*");
    }

    private static double OnePlace(Picture first, Picture second)
    {
        const double C1 = 0.01 * 255 * 0.01 * 255;
        const double C2 = 0.03 * 255 * 0.03 * 255;
        double[] x = [.. first.Rgb.Where((_, i) => i % 3 == 0)];
        double[] y = [.. second.Rgb.Where((_, i) => i % 3 == 0)];
        var (meanX, meanY, n) = (x.Average(), y.Average(), Math.Max(x.Length - 1, 1));
        double varianceX = x.Sum(value => (value - meanX) * (value - meanX)) / n;
        double varianceY = y.Sum(value => (value - meanY) * (value - meanY)) / n;
        double covariance = x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / n;
        return (2 * meanX * meanY + C1) * (2 * covariance + C2) / ((meanX * meanX + meanY * meanY + C1) * (varianceX + varianceY + C2));
    }

    private static Picture Filled(int width, int height, byte value) => new(width, height, [.. Enumerable.Repeat(value, 3 * width * height)]);

    private static Picture Noise(int width, int height, int seed)
    {
        byte[] rgb = new byte[3 * width * height];
        new Random(seed).NextBytes(rgb);
        return new Picture(width, height, rgb);
    }

    private static Picture Gray(Picture picture) => new(picture.Width, picture.Height, [.. picture.Rgb.Select((_, i) => picture.Rgb[i / 3 * 3])]);
}
