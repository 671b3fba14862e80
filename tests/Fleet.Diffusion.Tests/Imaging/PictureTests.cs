using Fleet.Diffusion.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Imaging;

public sealed class PictureTests
{
    [Fact]
    public void ToTensor_Pixels_AreChannelsFirstFromMinus1To1()
    {
        using var scope = NewDisposeScope();
        var image = new Picture(2, 1, [0, 51, 255, 255, 102, 0]).ToTensor();

        image.shape.Should().Equal(1, 3, 1, 2);
        image.data<float>().ToArray().Should().BeEquivalentTo([-1, 1, -0.6f, -0.2f, 1, -1], o => o.WithStrictOrdering().Using<float>(c => c.Subject.Should().BeApproximately(c.Expectation, 1e-6f)).WhenTypeIs<float>());
    }

    [Fact]
    public void FromTensor_OfToTensor_IsTheSamePicture()
    {
        using var scope = NewDisposeScope();
        byte[] every = [.. Enumerable.Range(0, 768).Select(i => (byte)i)];

        Picture.FromTensor(new Picture(16, 16, every).ToTensor()).Rgb.Should().Equal(every);
    }

    [Fact]
    public void FromTensor_ValuesOutsideAndBetween_AreClampedAndRoundedToEven()
    {
        using var scope = NewDisposeScope();
        var image = tensor(new float[] { -7, 7, 0 }, [1, 3, 1, 1]); // 0 is 127.5

        Picture.FromTensor(image).Rgb.Should().Equal(0, 255, 128);
    }

    [Fact]
    public void FromTensor_Batch_IsRefusedWithItsShape()
    {
        var convert = () => Picture.FromTensor(zeros(2, 3, 4, 4));

        convert.Should().Throw<ArgumentException>().WithMessage("*[2, 3, 4, 4]*");
    }

    [Theory]
    [InlineData(64, 48, 32, 32)]
    [InlineData(20, 30, 50, 31)]
    [InlineData(7, 5, 7, 40)]
    [InlineData(100, 100, 3, 1)]
    public void Resize_Noise_IsTheLanczosSumOverTheUnclippedWindow(int width, int height, int newWidth, int newHeight)
    {
        byte[] rgb = new byte[3 * width * height];
        new Random(3).NextBytes(rgb);

        var resized = new Picture(width, height, rgb).Resize(newWidth, newHeight);

        // Rows in between are rounded to bytes and clipped, as in Pillow; the reference does the same in double precision.
        double[] across = Across(Array.ConvertAll(rgb, value => (double)value), width, height, newWidth);
        double[] expected = Transpose(Across(Transpose(across, newWidth, height), height, newWidth, newHeight), newHeight, newWidth);
        resized.Rgb.Zip(expected).Should().OnlyContain(pair => Math.Abs(pair.First - pair.Second) <= 1);
    }

    [Fact]
    public void Resize_OneColour_StaysThatColour()
    {
        var picture = new Picture(37, 21, [.. Enumerable.Repeat(new byte[] { 255, 128, 1 }, 37 * 21).SelectMany(pixel => pixel)]);

        picture.Resize(64, 8).Rgb.Chunk(3).Should().AllSatisfy(pixel => pixel.Should().Equal(255, 128, 1));
    }

    // Lanczos with a window of 3 along rows of 3-channel pixels, straight from the definition.
    private static double[] Across(double[] pixels, int width, int height, int newWidth)
    {
        double scale = (double)width / newWidth;
        double stretch = Math.Max(scale, 1);
        double[] result = new double[newWidth * height * 3];
        for (int i = 0; i < result.Length; i++)
        {
            var (channel, x, y) = (i % 3, i / 3 % newWidth, i / 3 / newWidth);
            double sum = 0, weights = 0;
            for (int from = 0; from < width; from++)
            {
                double distance = (from + 0.5 - (x + 0.5) * scale) / stretch;
                double weight = Math.Abs(distance) >= 3 ? 0 : distance == 0 ? 1 : 3 * Math.Sin(Math.PI * distance) * Math.Sin(Math.PI * distance / 3) / (Math.PI * Math.PI * distance * distance);
                sum += weight * pixels[(y * width + from) * 3 + channel];
                weights += weight;
            }

            result[i] = Math.Clamp(Math.Round(sum / weights), 0, 255);
        }

        return result;
    }

    private static double[] Transpose(double[] pixels, int width, int height) =>
        [.. Enumerable.Range(0, pixels.Length).Select(i => pixels[(i / 3 % height * width + i / 3 / height) * 3 + i % 3])];
}
