using System.Text.Json;
using Fleet.Diffusion.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Sampling;

/// <summary>What the sampler tests share: a model's settings, and stand-ins for its network.</summary>
internal static class Models
{
    public static TheoryData<string> Names => [.. Schedulers.All.Select(scheduler => scheduler.Name)];

    /// <summary>Stable Diffusion's schedule, for a network that predicts x0 or something else.</summary>
    public static SchedulerConfig Config(string name, string prediction = "sample") =>
        Schedulers.Choose(Parse($$"""
            {
              "_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
              "clip_sample": false, "skip_prk_steps": true, "set_alpha_to_one": true, "prediction_type": "{{prediction}}"
            }
            """), name, "", "", null);

    public static SchedulerConfig Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return SchedulerConfig.Parse(document.RootElement);
    }

    public static Tensor Latents(int seed)
    {
        using var generator = new Generator((ulong)seed);
        return randn([1, 4, 2, 2], generator: generator);
    }

    /// <summary>Runs a job to its end; the noise is the same in every run.</summary>
    public static Tensor Run(Sampler sampler, Tensor unitNoise, Func<Tensor, double, Tensor> network)
    {
        using var scope = NewDisposeScope();
        using var noise = new Generator(7);
        var state = sampler.Begin(unitNoise * sampler.InitNoiseSigma);
        for (int call = 0; call < sampler.Timesteps.Count; call++)
        {
            state = Advance(sampler, state, network, () => randn([1, 4, 2, 2], generator: noise));
        }

        var result = scope.MoveToOuter(state.Latents.clone());
        state.Dispose();
        return result;
    }

    /// <summary>One call; disposes the old state.</summary>
    public static SamplerState Advance(Sampler sampler, SamplerState state, Func<Tensor, double, Tensor> network, Func<Tensor> drawNoise)
    {
        using var scope = NewDisposeScope();
        int call = state.NextCall;
        var output = network(sampler.ScaleModelInput(state.Latents, call), sampler.Timesteps[call]);
        var next = sampler.Step(state, call, output, drawNoise);
        state.Dispose();
        return next;
    }

    /// <summary>A network that is neither constant nor linear in the timestep.</summary>
    public static Tensor Wave(Tensor x, double timestep) => 0.3 * x + 0.1 * Math.Cos(0.001 * timestep);
}
