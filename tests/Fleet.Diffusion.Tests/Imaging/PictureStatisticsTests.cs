using Fleet.Diffusion.Imaging;

namespace Fleet.Diffusion.Tests.Imaging;

public class PictureStatisticsTests
{
    [Fact]
    public void Of_TwoPixels_IsOverAllValuesAndTheRangeWithinAChannel()
    {
        var statistics = PictureStatistics.Of(new Picture(2, 1, [10, 200, 30, 20, 180, 30]));

        statistics.Mean.Should().BeApproximately(470 / 6.0, 1e-12);
        statistics.StandardDeviation.Should().BeApproximately(Math.Sqrt(74700 / 6.0 - 470 / 6.0 * 470 / 6.0), 1e-9);
        statistics.Should().BeEquivalentTo(new { Minimum = 10, Maximum = 200, LargestRange = 20 });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(77)]
    [InlineData(255)]
    public void Of_OneColour_HasNoRangeAndNoDeviation(byte value)
    {
        var statistics = PictureStatistics.Of(new Picture(5, 5, [.. Enumerable.Repeat(value, 75)]));

        statistics.Should().Be(new PictureStatistics(value, 0, value, value, 0));
    }
}
