using Fleet.Diffusion.Sampling;

namespace Fleet.Diffusion.Tests.Sampling;

public sealed class SchedulersTests
{
    private static readonly SchedulerConfig Own = Models.Parse("""
        {
          "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_start": 0.00085, "beta_end": 0.012,
          "beta_schedule": "scaled_linear", "clip_sample": false, "skip_prk_steps": true, "steps_offset": 1
        }
        """);

    [Fact]
    public void Choose_OfNothing_IsTheModelsOwn()
    {
        Schedulers.Choose(Own, "", "", "", null).Should().BeSameAs(Own);
        Schedulers.Of(Own).Name.Should().Be("pndm");
    }

    [Fact]
    public void Choose_OfAnotherScheduler_CarriesOverWhatWasWritten()
    {
        var ddim = Schedulers.Choose(Own, "ddim", "", "", 0.5);
        var euler = Schedulers.Choose(Own, "euler", "karras", "", null);

        ddim.Settings["clip_sample"].Should().Be(false);            // PNDM's file has it, PNDM does not know it
        ddim.Settings["steps_offset"].Should().Be(1L);
        ddim.Step.Eta.Should().Be(0.5);
        euler.Settings["timestep_spacing"].Should().Be("linspace"); // PNDM's default is leading; it was not written
        euler.Settings["use_karras_sigmas"].Should().Be(true);
    }

    [Theory]
    [InlineData("dpmpp-2m", "dpmsolver++")]
    [InlineData("dpmpp-2m-sde", "sde-dpmsolver++")]
    public void Of_WhatWasChosen_IsTheChoice(string name, string algorithm)
    {
        var config = Schedulers.Choose(Own, name, "", "", null);

        Schedulers.Of(config).Name.Should().Be(name);
        config.Settings["algorithm_type"].Should().Be(algorithm);
    }

    [Fact]
    public void All_HaveASamplerThatIsAsDescribed()
    {
        foreach (var scheduler in Schedulers.All)
        {
            var sampler = Sampler.Create(Schedulers.Choose(Own, scheduler.Name, "", "", null), 8);

            sampler.Config.ClassName.Should().Be(scheduler.ClassName);
            sampler.CallsPerStep.Should().Be(scheduler.CallsPerStep);
            Schedulers.Of(sampler.Config).Should().Be(scheduler);
        }
    }

    [Theory]
    [InlineData("eulre", "", "", "Unknown scheduler 'eulre'. Possible: ddpm, ddim, *tcd.")]
    [InlineData("euler", "linear", "", "Unknown sigmas 'linear'. Possible: karras, exponential, beta.")]
    [InlineData("ddim", "karras", "", "ddim has no choice of sigmas. Schedulers that have: lms, euler, *")]
    [InlineData("euler", "", "even", "Unknown timestep spacing 'even'. Possible: leading, linspace, trailing.")]
    [InlineData("lcm", "", "leading", "lcm has no choice of timestep spacing. Schedulers that have: ddpm, *")]
    public void Choose_OfSomethingThatIsNotThere_ListsWhatIs(string name, string sigmas, string spacing, string message)
    {
        var choose = () => Schedulers.Choose(Own, name, sigmas, spacing, null);

        choose.Should().Throw<SchedulerException>().WithMessage(message);
    }

    [Theory]
    [InlineData("euler", 0.5, "eta is for ddim and tcd; euler has none.")]
    [InlineData("ddim", 1.5, "eta = 1.5; use 0 (no fresh noise) to 1.")]
    [InlineData("tcd", double.NaN, "eta = NaN; use 0 (no fresh noise) to 1.")]
    public void Choose_OfImpossibleEta_SaysWhatIsPossible(string name, double eta, string message)
    {
        var choose = () => Schedulers.Choose(Own, name, "", "", eta);

        choose.Should().Throw<SchedulerException>().WithMessage(message);
    }

    [Fact]
    public void Parse_OfUnknownOrMissingClass_ListsTheClasses()
    {
        var unknown = () => Models.Parse("""{ "_class_name": "MagicScheduler" }""");
        var missing = () => Models.Parse("{ }");

        unknown.Should().Throw<SchedulerException>().WithMessage("Unknown scheduler class 'MagicScheduler'. Possible: DDIMScheduler, *");
        missing.Should().Throw<SchedulerException>().WithMessage("Unknown scheduler class null.*");
    }
}
