using Fleet.Diffusion.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Sampling;

/// <summary>Steps of single samplers against numbers worked out by hand.</summary>
public sealed class StepTests
{
    [Fact]
    public void EulerStep_FromFourToOne_GoesThreeQuartersOfTheWay()
    {
        using var scope = NewDisposeScope();

        // x = 9, x0 = 1: the slope is 2, and the step is -3 long.
        EulerSampler.EulerStep(tensor(9f), tensor(1f), 4, 1).item<float>().Should().Be(3);
    }

    [Fact]
    public void Split_OfAncestralStep_KeepsTheNextLevel()
    {
        var (down, up) = EulerAncestralSampler.Split(5, 3);

        up.Should().BeApproximately(2.4f, 1e-6f);      // 3 * 4 / 5
        down.Should().BeApproximately(1.8f, 1e-6f);    // 3² - 2.4² = 1.8²
    }

    [Fact]
    public void Step_OfDdimInOne_IsThePrediction()
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config("ddim", "epsilon"), 1);     // leading: its one timestep is 0
        using var state = sampler.Begin(full([1, 1, 1, 1], 2f));

        using var next = sampler.Step(state, 0, full([1, 1, 1, 1], 0.5f), () => zeros(1, 1, 1, 1));

        double alpha = 1 - 0.00085;
        next.Latents.item<float>().Should().BeApproximately((float)((2 - 0.5 * Math.Sqrt(1 - alpha)) / Math.Sqrt(alpha)), 1e-6f);
    }

    [Fact]
    public void Step_OfLmsOnAStraightLine_IsExact()
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config("lms", "epsilon"), 8);

        // dx/dσ is constant, so every multistep formula gives the straight line: x = x_start - σ_start.
        var end = Models.Run(sampler, zeros(1, 4, 2, 2), (x, _) => ones_like(x));

        (end + sampler.Sigmas[0]).abs().max().item<float>().Should().BeLessThan(1e-4f);
    }

    [Theory]
    [InlineData("heun", "euler")]
    [InlineData("dpm2", "euler")]
    [InlineData("lms", "euler")]
    [InlineData("pndm", "ddim")]
    [InlineData("dpmpp-2m", "ddim")]
    [InlineData("dpmpp-2s", "ddim")]
    [InlineData("unipc", "ddim")]
    public void Step_OfAHigherOrder_IsCloserThanTheFirstOrderInThirtySteps(string name, string firstOrder)
    {
        using var scope = NewDisposeScope();
        var unit = Models.Latents(1);
        Tensor End(string sampler, int steps) =>
            Models.Run(Sampler.Create(Schedulers.Choose(Models.Config(sampler, "epsilon"), "", "", sampler == "dpmpp-2s" ? "" : "linspace", null), steps), unit, Models.Wave);

        var exact = End(firstOrder, 1000);
        float Error(string sampler) => (End(sampler, 30) - exact).abs().max().item<float>();

        Error(name).Should().BeLessThan(Error(firstOrder) / 2);
    }

    [Theory]
    [InlineData(0, 2.0)]
    [InlineData(1, 4.0)]
    [InlineData(7.5, 17.0)]
    public void Combine_OfTwoPredictions_ExtrapolatesFromTheUnconditional(double scale, double expected)
    {
        using var scope = NewDisposeScope();

        var guided = Guidance.Combine(full([1, 4, 2, 2], 2f), full([1, 4, 2, 2], 4f), scale, 0);

        guided.max().item<float>().Should().Be((float)expected);
    }

    [Fact]
    public void Combine_WithFullRescale_HasTheSpreadOfTheConditional()
    {
        using var scope = NewDisposeScope();
        var (unconditional, conditional) = (Models.Latents(1), Models.Latents(2));
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        var guided = Guidance.Combine(unconditional, conditional, 7.5, 1);

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 1);
        guided.std().item<float>().Should().BeApproximately(conditional.std().item<float>(), 1e-5f);
    }
}
