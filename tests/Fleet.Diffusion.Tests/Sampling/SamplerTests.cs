using Fleet.Diffusion.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Sampling;

/// <summary>What holds for every sampler.</summary>
public sealed class SamplerTests
{
    public static TheoryData<string> Names => Models.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_WithNetworkThatKnowsThePicture_EndsAtThePicture(string name)
    {
        using var scope = NewDisposeScope();
        var picture = Models.Latents(1);

        var sampler = Sampler.Create(Models.Config(name), 10);
        var end = Models.Run(sampler, Models.Latents(2), (_, _) => picture);

        // DEIS and TCD end on the lowest trained level, where a little noise is left; LCM keeps a little of its input.
        double rest = name is "deis" or "tcd" or "lcm" ? 0.15 : 1e-4;
        (end - picture).abs().max().item<float>().Should().BeLessThan((float)rest);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_InAnyShapeAndLength_StaysFinite(string name)
    {
        using var scope = NewDisposeScope();
        var scheduler = Schedulers.All.Single(s => s.Name == name);
        string[] shapes = scheduler.AcceptsSigmas ? ["", "karras", "exponential", "beta"] : [""];
        string[] spacings = scheduler.AcceptsSpacing ? ["leading", "linspace", "trailing"] : [""];
        foreach (int steps in (int[])[1, 2, 3, 4, 16])
        {
            foreach (var (shape, spacing) in shapes.SelectMany(_ => spacings, (shape, spacing) => (shape, spacing)))
            {
                foreach (string prediction in (string[])["epsilon", "v_prediction", "sample"])
                {
                    var config = Schedulers.Choose(Models.Config(name, prediction), "", shape, spacing, null);
                    var sampler = Sampler.Create(config, steps);
                    using var end = Models.Run(sampler, Models.Latents(3), Models.Wave);
                    end.isfinite().all().item<bool>().Should()
                        .BeTrue("{0} {1} {2} {3} in {4} steps", name, shape, spacing, prediction, steps);
                    sampler.Timesteps.Should().OnlyContain(t => t >= 0 && t < 1000);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_OfInterleavedJobs_EqualsEachAlone(string name)
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config(name, "epsilon"), 6);
        var alone = Models.Run(sampler, Models.Latents(4), Models.Wave);
        using var noise = new Generator(7);

        var first = sampler.Begin(Models.Latents(4) * sampler.InitNoiseSigma);
        var second = sampler.Begin(Models.Latents(5) * sampler.InitNoiseSigma);
        for (int call = 0; call < sampler.Timesteps.Count; call++)
        {
            first = Models.Advance(sampler, first, Models.Wave, () => randn([1, 4, 2, 2], generator: noise));
            second = Models.Advance(sampler, second, Models.Wave, () => randn([1, 4, 2, 2]));
        }

        first.Latents.eq(alone).all().item<bool>().Should().BeTrue();
        first.Dispose();
        second.Dispose();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_Twice_GivesTheSameAndLeavesTheStateAlone(string name)
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config(name, "v_prediction"), 5);
        using var state = Middle(sampler);
        byte[] before = state.ToBytes();

        using var once = sampler.Step(state, state.NextCall, Models.Latents(8), () => Models.Latents(9));
        using var twice = sampler.Step(state, state.NextCall, Models.Latents(8), () => Models.Latents(9));

        twice.ToBytes().Should().Equal(once.ToBytes());
        state.ToBytes().Should().Equal(before);
        once.NextCall.Should().Be(state.NextCall + 1);
        once.Denoised.Should().NotBeNull();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void FromBytes_OfStateInTheMiddle_ContinuesBitEqual(string name)
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config(name, "epsilon"), 6);
        var kept = Middle(sampler);
        var restored = SamplerState.FromBytes(kept.ToBytes());

        while (kept.NextCall < sampler.Timesteps.Count)
        {
            kept = Models.Advance(sampler, kept, Models.Wave, () => Models.Latents(9));
            restored = Models.Advance(sampler, restored, Models.Wave, () => Models.Latents(9));
        }

        restored.ToBytes().Should().Equal(kept.ToBytes());
        kept.Dispose();
        restored.Dispose();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_OverAJob_LeavesNoTensors(string name)
    {
        var sampler = Sampler.Create(Models.Config(name), 5);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        using (var unit = Models.Latents(1))
        {
            Models.Run(sampler, unit, Models.Wave).Dispose();
            sampler.AddNoise(unit, unit, 0).Dispose();
            sampler.AddTrainingNoise(unit, unit, 500).Dispose();
        }

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Begin_AtHalfStrength_RunsTheSecondHalf(string name)
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config(name), 10);
        var picture = Models.Latents(1);
        int start = sampler.StartCall(0.5);

        var state = sampler.Begin(sampler.AddNoise(picture, Models.Latents(2), start), start);
        while (state.NextCall < sampler.Timesteps.Count)
        {
            state = Models.Advance(sampler, state, (_, _) => picture, () => Models.Latents(3));
        }

        start.Should().Be(5 * sampler.CallsPerStep);
        (state.Latents - picture).abs().max().item<float>().Should().BeLessThan(0.15f);
        state.Dispose();
    }

    [Fact]
    public void Step_OutOfTurn_IsRefused()
    {
        using var scope = NewDisposeScope();
        var sampler = Sampler.Create(Models.Config("euler"), 4);
        using var state = sampler.Begin(Models.Latents(1));

        var skip = () => sampler.Step(state, 1, Models.Latents(1), () => Models.Latents(1));
        var misfit = () => sampler.Step(state, 0, zeros(1, 4, 2, 3), () => Models.Latents(1));

        skip.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*next call is 0 of 4*");
        misfit.Should().Throw<ArgumentException>().WithMessage("*(1, 4, 2, 3)*(1, 4, 2, 2)*");
    }

    [Fact]
    public void FromBytes_OfCutOrForeignBytes_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var state = Middle(Sampler.Create(Models.Config("unipc"), 5));
        byte[] bytes = state.ToBytes();

        for (int length = 0; length < bytes.Length; length += 13)
        {
            var cut = () => SamplerState.FromBytes(bytes[..length]);
            cut.Should().Throw<InvalidDataException>();
        }

        bytes[0] = 9;
        var foreign = () => SamplerState.FromBytes(bytes);
        foreign.Should().Throw<InvalidDataException>().WithMessage("*format 9*");
    }

    // A state in the middle of a job, and of a step where a step has several calls.
    private static SamplerState Middle(Sampler sampler)
    {
        var state = sampler.Begin(Models.Latents(6) * sampler.InitNoiseSigma);
        while (state.NextCall < 3)
        {
            state = Models.Advance(sampler, state, Models.Wave, () => Models.Latents(7));
        }

        return state;
    }
}
