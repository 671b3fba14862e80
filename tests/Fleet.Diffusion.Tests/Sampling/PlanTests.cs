using Fleet.Diffusion.Sampling;

namespace Fleet.Diffusion.Tests.Sampling;

/// <summary>What a plan decides before the first call, against published tables and numbers worked out by hand.</summary>
public sealed class PlanTests
{
    [Theory]
    [InlineData("leading", new[] { 750.0, 500, 250, 0 })]
    [InlineData("linspace", new[] { 999.0, 666, 333, 0 })]
    [InlineData("trailing", new[] { 999.0, 749, 499, 249 })]
    public void Timesteps_OfFourSteps_AreThoseOfTheSpacing(string spacing, double[] expected)
    {
        var config = Schedulers.Choose(Models.Config("ddim"), "", "", spacing, null);

        Sampler.Create(config, 4).Timesteps.Should().Equal(expected);
    }

    [Fact]
    public void Timesteps_OfPndm_RepeatTheSecond()
    {
        Sampler.Create(Models.Config("pndm"), 4).Timesteps.Should().Equal(750, 500, 500, 250, 0);
    }

    [Fact]
    public void Timesteps_OfPndmWithRungeKutta_HaveFourCallsForThreeSteps()
    {
        var config = Models.Config("pndm").With("skip_prk_steps", false);

        Sampler.Create(config, 4).Timesteps.Should().Equal(750, 625, 625, 500, 500, 375, 375, 250, 250, 125, 125, 0, 0);
    }

    [Fact]
    public void Timesteps_OfTrailingWhoseRatioRoundsDown_AreNoMoreThanSteps()
    {
        // 1000 / (1000 / 61) is a little above 61 in binary.
        var config = Schedulers.Choose(Models.Config("euler"), "", "", "trailing", null);

        Sampler.Create(config, 61).Timesteps.Should().HaveCount(61).And.OnlyContain(t => t >= 0);
    }

    [Fact]
    public void Sigmas_OfKarras_RunFromHighestToLowestAndZero()
    {
        var config = Schedulers.Choose(Models.Config("euler"), "", "karras", "", null).With("sigma_min", 1.0).With("sigma_max", 128.0);

        var sigmas = Sampler.Create(config, 3).Sigmas;

        // 128^(1/7) = 2: the middle is 1.5^7.
        sigmas.Should().HaveCount(4);
        sigmas.Zip([128.0, 17.0859375, 1, 0]).Should().OnlyContain(pair => Math.Abs(pair.First - pair.Second) < 1e-4);
    }

    [Fact]
    public void Sigmas_OfExponential_FallByTheSameFactor()
    {
        var config = Schedulers.Choose(Models.Config("euler"), "", "exponential", "", null).With("sigma_min", 1.0).With("sigma_max", 16.0);

        var sigmas = Sampler.Create(config, 5).Sigmas;

        sigmas.Zip([16.0, 8, 4, 2, 1, 0]).Should().OnlyContain(pair => Math.Abs(pair.First - pair.Second) < 1e-5);
    }

    [Fact]
    public void AlphasCumprod_WithZeroTerminalSnr_EndAtZeroAndStartWhereTheyDid()
    {
        var plain = Sampler.Create(Models.Config("ddim"), 4).Noise.AlphasCumprod;
        var rescaled = Sampler.Create(Models.Config("ddim").With("rescale_betas_zero_snr", true), 4).Noise.AlphasCumprod;
        var kept = Sampler.Create(Models.Config("euler").With("rescale_betas_zero_snr", true), 4).Noise.AlphasCumprod;

        rescaled[0].Should().BeApproximately(plain[0], 1e-6f);
        rescaled[^1].Should().Be(0);
        kept[^1].Should().Be(MathF.Pow(2, -24));
    }

    [Theory]
    [InlineData("dpmpp-2m")]
    [InlineData("dpmpp-2s")]
    public void Timesteps_OfCosineScheduleWithClippedLambda_StopBeforeItDiverges(string name)
    {
        var config = Models.Config(name).With("beta_schedule", "squaredcos_cap_v2").With("lambda_min_clipped", -5.1);

        var sampler = Sampler.Create(config, 10);

        // λ = -log σ: the first level is the last one up to e^5.1.
        sampler.Sigmas[0].Should().BeLessThanOrEqualTo(MathF.Exp(5.1f));
        sampler.Noise.Sigmas[(int)sampler.Timesteps[0] + 1].Should().BeGreaterThan(MathF.Exp(5.1f));
    }

    [Fact]
    public void InitNoiseSigma_OfLeadingSpacing_CountsThePictureIn()
    {
        var leading = Sampler.Create(Schedulers.Choose(Models.Config("euler"), "", "", "leading", null), 10);
        var linspace = Sampler.Create(Models.Config("euler"), 10);

        leading.InitNoiseSigma.Should().BeApproximately(Math.Sqrt(leading.Sigmas[0] * leading.Sigmas[0] + 1), 1e-5);
        linspace.InitNoiseSigma.Should().Be(linspace.Sigmas[0]);
        Sampler.Create(Models.Config("ddim"), 10).InitNoiseSigma.Should().Be(1);
    }

    [Theory]
    [InlineData("euler", 0.3, 7)]       // 10 * 0.3 rounds down to 3 steps
    [InlineData("euler", 1, 0)]
    [InlineData("heun", 0.75, 6)]       // 7 of 10 steps, two calls each
    [InlineData("pndm", 0.5, 5)]
    public void StartCall_OfStrength_LeavesOutTheFirstSteps(string name, double strength, int expected)
    {
        Sampler.Create(Models.Config(name), 10).StartCall(strength).Should().Be(expected);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-0.5)]
    [InlineData(1.01)]
    [InlineData(double.NaN)]
    [InlineData(0.05)]
    public void StartCall_OfNoStep_SaysWhatIsPossible(double strength)
    {
        var start = () => Sampler.Create(Models.Config("euler"), 10).StartCall(strength);

        start.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*use 0.1 to 1*");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(10_000)]
    public void Create_OfImpossibleSteps_SaysWhatIsPossible(int steps)
    {
        var create = () => Sampler.Create(Models.Config("euler"), steps);

        create.Should().Throw<ArgumentOutOfRangeException>().WithMessage($"*steps = {steps}*1 to 1000*");
    }

    [Theory]
    [InlineData("euler", "beta_schedule", "sigmoid", "*beta_schedule = 'sigmoid'*scaled_linear*")]
    [InlineData("ddim", "timestep_spacing", "logarithmic", "*timestep_spacing = 'logarithmic'*trailing*")]
    [InlineData("euler", "prediction_type", "score", "*prediction_type = 'score'*v_prediction*")]
    [InlineData("ddpm", "prediction_type", "flow_prediction", "*flow_prediction*UniPC*")]
    [InlineData("ddpm", "variance_type", "learned_range", "*variance_type = 'learned_range'*fixed_small*")]
    [InlineData("dpmpp-2m", "algorithm_type", "dpmsolver", "*final_sigmas_type = 'zero'*sigma_min*")]
    [InlineData("dpmpp-2m", "solver_order", 4, "*solver_order = 4*1, 2 or 3*")]
    [InlineData("unipc", "solver_type", "bh3", "*solver_type = 'bh3'*bh2*")]
    [InlineData("lcm", "original_inference_steps", 3, "*original_inference_steps = 3*4 steps*")]
    [InlineData("euler", "num_train_timesteps", "many", "*num_train_timesteps = 'many'*number*")]
    public void Create_OfImpossibleSetting_NamesSettingValueAndRemedy(string name, string key, object value, string message)
    {
        var create = () => Sampler.Create(Models.Config(name).With(key, value), 4);

        create.Should().Throw<SchedulerException>().WithMessage(message);
    }

    [Fact]
    public void Create_OfTwoSigmaShapes_NamesBoth()
    {
        var config = Models.Config("euler").With("use_karras_sigmas", true).With("use_beta_sigmas", true);

        var create = () => Sampler.Create(config, 4);

        create.Should().Throw<SchedulerException>().WithMessage("*Karras and Beta*");
    }

    [Fact]
    public void Create_OfPndmWithTooFewStepsForRungeKutta_SaysHowMany()
    {
        var create = () => Sampler.Create(Models.Config("pndm").With("skip_prk_steps", false), 3);

        create.Should().Throw<SchedulerException>().WithMessage("*at least 4 steps*");
    }

    [Theory]
    [InlineData("ddpm")]
    [InlineData("lcm")]
    [InlineData("tcd")]
    [InlineData("euler")]
    [InlineData("dpmpp-2m")]
    [InlineData("dpmpp-2s")]
    public void CreateFromTimesteps_OfASamplerThatTakesThem_VisitsThem(string name)
    {
        Sampler.CreateFromTimesteps(Models.Config(name), [999, 759, 499, 259]).Timesteps.Should().Equal(999, 759, 499, 259);
    }

    [Fact]
    public void CreateFromTimesteps_OfASamplerThatTakesNone_IsRefused()
    {
        var create = () => Sampler.CreateFromTimesteps(Models.Config("ddim"), [999, 499]);
        var rising = () => Sampler.CreateFromTimesteps(Models.Config("euler"), [499, 999]);
        var beyond = () => Sampler.CreateFromTimesteps(Models.Config("euler"), [1000, 499]);

        create.Should().Throw<SchedulerException>().WithMessage("*takes no timesteps*");
        rising.Should().Throw<SchedulerException>().WithMessage("*each below the one before*");
        beyond.Should().Throw<SchedulerException>().WithMessage("*at most 999*");
    }

    [Fact]
    public void CreateFromSigmas_OfEuler_StepsBetweenThem()
    {
        var sampler = Sampler.CreateFromSigmas(Models.Config("euler"), [14.6, 2.5, 0]);
        var refused = () => Sampler.CreateFromSigmas(Models.Config("heun"), [14.6, 0]);

        sampler.Timesteps.Should().HaveCount(2).And.BeInDescendingOrder();
        sampler.Sigmas.Should().Equal(14.6f, 2.5f, 0f);
        refused.Should().Throw<SchedulerException>().WithMessage("*takes no sigmas*");
    }
}
