using Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Rollouts.Judging;

/// <summary>Distances of same-seed pictures: every pair within the tolerance when they must be identical, else their means.</summary>
internal sealed class PictureTests
{
    // Structural similarity and cosine below 0 are no likeness at all: the distance 1 stands for both.
    private const double MostDistance = 1;

    // Latents have no largest distance: a pair counts for this many times the limit at most.
    private const double MostLatentLimits = 4;

    private readonly Action<double> pixels;
    private readonly Action<double> latents;
    private readonly Action<double> clip;

    public PictureTests(RolloutPlan plan)
    {
        var limits = plan.Tests;
        bool identical = plan.Kind == ChangeKind.MustBeIdentical;
        (var pixelTest, pixels) = New("pictures/ssim", limits.MaxPictureDistance, MostDistance);
        (var latentTest, latents) = New("pictures/latents", limits.MaxLatentDistance, MostLatentLimits * limits.MaxLatentDistance);
        (var clipTest, clip) = New("pictures/clip", limits.MaxClipDistance, MostDistance);
        All = [pixelTest, latentTest, clipTest];
        Required = plan.Steps.Any(step => step.ShadowPercent > 0) ? pixelTest : null;

        (ISequentialTest, Action<double>) New(string name, double limit, double range)
        {
            if (identical)
            {
                var exact = new ToleranceTest(name, limit, limits.Beta);
                return (exact, exact.Observe);
            }

            var mean = new MeanTest(name, limit, range, AlphaShares.EachDistance * limits.Alpha, limits.Beta);
            return (mean, mean.Observe);
        }
    }

    public IReadOnlyList<ISequentialTest> All { get; }

    /// <summary>The test that must have data, because the plan asks for pairs. Latents and CLIP are not always at hand.</summary>
    public ISequentialTest? Required { get; }

    public void Observe(PictureDistance distance)
    {
        pixels(1 - distance.Ssim);
        if (distance.HasLatentRmse)
        {
            latents(distance.LatentRmse);
        }

        if (distance.HasClip)
        {
            clip(distance.Clip);
        }
    }
}
