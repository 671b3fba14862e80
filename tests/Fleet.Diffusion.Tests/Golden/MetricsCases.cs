using System.Text.Json;
using Fleet.Diffusion.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>
/// Peak signal-to-noise ratio and structural similarity of pairs of pictures, as numbers from 0 to 1 and with 8 bits. Distances between
/// sets of features (Fréchet, KID) and cosines are not compared.
/// </summary>
internal static class MetricsCases
{
    // What is compared with each number of the reference.
    private static readonly Dictionary<string, Func<Pair, double>> Measures = new()
    {
        ["psnr_float_range1"] = pair => PictureDifference.PeakSignalToNoise(pair.MeanSquaredError, range: 1),
        ["psnr_uint8"] = pair => PictureDifference.PeakSignalToNoise(pair.First.ToPicture(), pair.Second.ToPicture()),
        ["mse"] = pair => pair.MeanSquaredError,
        ["ssim_uniform7"] = pair => OverChannels(pair, SimilarityWindow.Uniform),
        ["ssim_gaussian11"] = pair => OverChannels(pair, SimilarityWindow.Gaussian),
        ["ssim_gray_uniform7"] = pair => PictureDifference.StructuralSimilarity(pair.First.Gray(), pair.Second.Gray(), 1, SimilarityWindow.Uniform),
    };

    public static void Compare(GoldenCase golden)
    {
        using var tensors = golden.OpenTensors();
        using var scope = NewDisposeScope();
        var (first, second) = (tensors["in.images_a"], tensors["in.images_b"]);
        var expected = golden.Json.GetProperty("images").EnumerateArray().ToList();
        expected.Should().HaveCount((int)first.shape[0]);
        for (int i = 0; i < expected.Count; i++)
        {
            Compare(new Pair(new Channels(first[i]), new Channels(second[i])), expected[i], Tolerance.Of(golden), $"images[{i}]");
        }

        golden.LeftOut = "Fréchet distance, KID, cosine, mean absolute error";
    }

    private static void Compare(Pair pair, JsonElement expected, Tolerance tolerance, string name)
    {
        foreach (var (measure, compute) in Measures)
        {
            tolerance.Check(tensor(compute(pair)), tensor(expected.GetProperty(measure).GetDouble()), $"{name}.{measure}");
        }
    }

    private static double OverChannels(Pair pair, SimilarityWindow window) => Enumerable.Range(0, 3)
        .Average(channel => PictureDifference.StructuralSimilarity(pair.First.Plane(channel), pair.Second.Plane(channel), 1, window));

    private sealed record Pair(Channels First, Channels Second)
    {
        public double MeanSquaredError => First.Values.Zip(Second.Values, (a, b) => (a - b) * (a - b)).Average();
    }

    // A picture (3, h, w) with values from 0 to 1.
    private sealed class Channels(Tensor image)
    {
        private readonly int height = (int)image.shape[1];
        private readonly int width = (int)image.shape[2];

        public double[] Values { get; } = image.to(float64).contiguous().data<double>().ToArray();

        public Plane Plane(int channel) => new(width, height, Values[(channel * width * height)..((channel + 1) * width * height)]);

        // The reference's gray is the mean of the channels.
        public Plane Gray() => new(
            width, height, [.. Enumerable.Range(0, width * height).Select(i => Enumerable.Range(0, 3).Average(c => Values[c * width * height + i]))]);

        public Picture ToPicture() => new(
            width, height, [.. Enumerable.Range(0, 3 * width * height).Select(i => (byte)Math.Round(255 * Values[i % 3 * width * height + i / 3]))]);
    }
}
