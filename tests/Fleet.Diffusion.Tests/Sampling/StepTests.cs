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

    [Theory]
    [InlineData("euler", 1, 1)]
    [InlineData("heun", 1, 1)]      // inside a step: the level that the first call stepped to
    [InlineData("heun", 2, 1)]
    [InlineData("heun", 3, 2)]
    public void AddNoise_BeforeACall_HasTheLevelOfItsLatents(string name, int call, int level)
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config(name), 4);

        sampler.AddNoise(zeros(1), ones(1), call).item<float>().Should().Be(sampler.Sigmas[level]);
    }

    [Fact]
    public void Step_OfEulerWithFullChurn_RaisesTheNoiseByHalf()
    {
        using var scope = NewDisposeScope();
        var config = Models.Config("euler", "epsilon");
        var sampler = Sampler.Create(config.With(config.Step with { Churn = 1000 }), 4);
        using var state = sampler.Begin(full([1, 1, 1, 1], 3f));

        using var next = sampler.Step(state, 0, zeros(1, 1, 1, 1), () => ones(1, 1, 1, 1));

        // The level rises by √2, which takes noise of the old level once more; a prediction of no noise moves nothing.
        next.Latents.item<float>().Should().BeApproximately(3 + sampler.Sigmas[0], 1e-5f);
    }

    [Fact]
    public void Step_WithThresholding_ScalesThePredictionIntoTheUnitRange()
    {
        using var scope = NewDisposeScope();
        var config = Models.Config("ddim").With("thresholding", true).With("dynamic_thresholding_ratio", 1.0).With("sample_max_value", 2.0);
        var sampler = Sampler.Create(config, 1);
        using var state = sampler.Begin(zeros(1, 1, 1, 3));

        using var next = sampler.Step(state, 0, tensor([4f, 1f, -0.5f]).reshape(1, 1, 1, 3), () => zeros(1, 1, 1, 3));

        // The largest is 4, but no more than 2 is kept: [2, 1, -0.5] / 2.
        next.Denoised!.data<float>().ToArray().Should().Equal(1f, 0.5f, -0.25f);
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
    [InlineData("heun", "euler", "linspace")]
    [InlineData("dpm2", "euler", "linspace")]
    [InlineData("lms", "euler", "linspace")]
    [InlineData("pndm", "ddim", "trailing")]
    [InlineData("dpmpp-2m", "ddim", "linspace")]
    [InlineData("dpmpp-2s", "ddim", "")]
    [InlineData("unipc", "ddim", "linspace")]
    public void Step_OfAHigherOrder_IsCloserThanTheFirstOrderInTwentyFiveSteps(string name, string firstOrder, string spacing)
    {
        using var scope = NewDisposeScope();
        var unit = Models.Latents(1);
        var exact = End(firstOrder, 1000);
        float Error(string sampler) => (End(sampler, 25) - exact).abs().max().item<float>();

        Error(name).Should().BeLessThan(Error(firstOrder) / 2);

        Tensor End(string sampler, int steps)
        {
            var config = Schedulers.Choose(Models.Config(sampler, "epsilon"), "", "", spacing, null);
            return Models.Run(Sampler.Create(config, steps), unit, Models.Wave);
        }
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
