using System.Text.Json;
using Fleet.Diffusion.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>
/// Group "schedulers": whole trajectories with a stand-in for the network, and the settings that a scheduler gets from another
/// one's file. Made with diffusers (see tests/golden/README.md); tolerances are the cases' own.
/// </summary>
internal static class SchedulerCases
{
    public static void Compare(GoldenCase golden)
    {
        using var scope = NewDisposeScope();
        if (golden.Json.TryGetProperty("rows", out var rows))
        {
            foreach (var row in rows.EnumerateArray())
            {
                CompareFromConfig(golden, row);
            }

            return;
        }

        string className = golden.Json.GetProperty("scheduler").GetString()!;
        if (Schedulers.All.All(scheduler => scheduler.ClassName != className))
        {
            throw new NotCoveredException($"{className} is not served yet");
        }

        using var tensors = golden.OpenTensors();
        var config = SchedulerConfig.Parse(golden.Json.GetProperty("given_config"), className)
            .With(Arguments(golden.Json.GetProperty("step_kwargs")));
        CompareSettings(config, golden.Json.GetProperty("config"));
        var sampler = Plan(config, golden.Json);
        ComparePlan(golden, tensors, sampler);
        CompareNoise(golden, tensors, sampler);
        CompareTrajectory(golden, tensors, sampler);
    }

    private static void CompareFromConfig(GoldenCase golden, JsonElement row)
    {
        string from = row.GetProperty("from").GetString()!;
        string to = row.GetProperty("to").GetString()!;
        var config = SchedulerConfig.Parse(golden.Json.GetProperty("sources").GetProperty(from)).As(to);
        foreach (var setting in row.GetProperty("override").EnumerateObject())
        {
            config = config.With(setting.Name, setting.Value.ValueKind == JsonValueKind.True);
        }

        CompareSettings(config, row.GetProperty("effective"));
        var sampler = Sampler.Create(config, golden.Json.GetProperty("num_inference_steps").GetInt32());
        var tolerance = Tolerance.Of(golden);
        Numbers(row.GetProperty("timesteps")).Check(sampler.Timesteps, tolerance, $"{from} to {to}: timesteps");
        Numbers(row.GetProperty("init_noise_sigma")).Check([sampler.InitNoiseSigma], tolerance, $"{from} to {to}: init_noise_sigma");
        if (row.TryGetProperty("sigmas", out var sigmas))
        {
            Numbers(sigmas).Check(ReferenceSigmas(sampler), tolerance, $"{from} to {to}: sigmas");
        }
    }

    private static void CompareSettings(SchedulerConfig config, JsonElement expected)
    {
        foreach (var setting in expected.EnumerateObject())
        {
            // The reference's single-step solver writes its own decision into its configuration; the plan shows it here.
            if (setting.Name != "lower_order_final")
            {
                config.Settings.Should().ContainKey(setting.Name);
                Plain(config.Settings[setting.Name]).Should()
                    .Be(Plain(setting.Value), "setting {0} of {1}", setting.Name, config.ClassName);
            }
        }
    }

    private static void ComparePlan(GoldenCase golden, GoldenTensors tensors, Sampler sampler)
    {
        var tolerance = Tolerance.Of(golden);
        tolerance.Check(tensor(sampler.Timesteps.ToArray()), tensors["timesteps"], "timesteps");
        Numbers(golden.Json.GetProperty("init_noise_sigma")).Check([sampler.InitNoiseSigma], tolerance, "init_noise_sigma");
        if (tensors.Has("sigmas"))
        {
            tolerance.Check(tensor(ReferenceSigmas(sampler)), tensors["sigmas"], "sigmas");
        }

        if (tensors.Has("const.alphas_cumprod"))
        {
            tolerance.Check(tensor(sampler.Noise.AlphasCumprod.ToArray()), tensors["const.alphas_cumprod"], "const.alphas_cumprod");
        }
    }

    private static void CompareNoise(GoldenCase golden, GoldenTensors tensors, Sampler sampler)
    {
        var tolerance = Tolerance.Of(golden);
        foreach (string name in tensors.Names.Where(name => name.StartsWith("add_noise_", StringComparison.Ordinal)))
        {
            int number = int.Parse(name[(name.IndexOf('.') + 1)..]);
            var (x0, noise) = (tensors["in.x0"], tensors["in.noise_for_add"]);
            var noisy = name.StartsWith("add_noise_fresh.", StringComparison.Ordinal)
                ? sampler.AddTrainingNoise(x0, noise, number)
                : sampler.AddNoise(x0, noise, number);
            tolerance.Check(noisy, tensors[name], name);
        }
    }

    private static void CompareTrajectory(GoldenCase golden, GoldenTensors tensors, Sampler sampler)
    {
        var tolerance = Tolerance.Of(golden);
        int start = golden.Json.GetProperty("begin_index").GetInt32() * sampler.CallsPerStep;
        var initial = tensors["in.initial"];
        if (tensors.Has("start_from_add_noise"))
        {
            initial = sampler.AddNoise(tensors["in.x0"], tensors["in.noise_for_add"], start);
            tolerance.Check(initial, tensors["start_from_add_noise"], "start_from_add_noise");
        }

        int call = start;
        var drawnAt = new List<int>();
        Tensor DrawNoise()
        {
            drawnAt.Add(call - start);
            return tensors["in.step_noise"].narrow(0, drawnAt.Count - 1, 1);
        }

        var state = sampler.Begin(initial, start);
        for (; call < sampler.Timesteps.Count; call++)
        {
            var x = sampler.ScaleModelInput(state.Latents, call);
            var next = sampler.Step(state, call, StandIn(golden.Json.GetProperty("model"), x, sampler.Timesteps[call]), DrawNoise);
            Check("scaled_inputs", call - start, x);
            Check("samples", call - start + 1, next.Latents);
            Check("pred_original", call - start, next.Denoised!);
            state.Dispose();
            state = next;
        }

        state.Dispose();
        var expected = golden.Json.GetProperty("noise_drawn_at_call").EnumerateArray().Select(at => at.GetInt32());
        drawnAt.Should().Equal(expected, "noise is drawn when the reference draws it");

        void Check(string name, int index, Tensor got)
        {
            if (tensors.Has(name))
            {
                tolerance.Check(got, tensors[name].narrow(0, index, 1), $"{name}[{index}]");
            }
        }
    }

    // a x + b cos(w t + c) over the channels c.
    private static Tensor StandIn(JsonElement model, Tensor x, double timestep)
    {
        double b = model.GetProperty("b").GetDouble();
        double w = model.GetProperty("w").GetDouble();
        float[] offsets = [.. Enumerable.Range(0, (int)x.shape[1]).Select(c => (float)(b * Math.Cos(w * timestep + c)))];
        return (float)model.GetProperty("a").GetDouble() * x + tensor(offsets).reshape(1, -1, 1, 1);
    }

    private static Sampler Plan(SchedulerConfig config, JsonElement json)
    {
        if (json.TryGetProperty("set_timesteps_sigmas", out var sigmas))
        {
            return Sampler.CreateFromSigmas(config, Numbers(sigmas));
        }

        return json.TryGetProperty("set_timesteps_timesteps", out var timesteps)
            ? Sampler.CreateFromTimesteps(config, Numbers(timesteps))
            : Sampler.Create(config, json.GetProperty("num_inference_steps").GetInt32());
    }

    private static StepArguments Arguments(JsonElement given)
    {
        var arguments = new StepArguments();
        foreach (var argument in given.EnumerateObject())
        {
            arguments = argument.Name switch
            {
                "eta" => arguments with { Eta = argument.Value.GetDouble() },
                "s_churn" => arguments with { Churn = argument.Value.GetDouble() },
                "s_tmin" => arguments with { ChurnMin = argument.Value.GetDouble() },
                "s_tmax" => arguments with { ChurnMax = argument.Value.GetDouble() },
                "s_noise" => arguments with { ChurnNoise = argument.Value.GetDouble() },
                "order" => arguments with { LmsOrder = argument.Value.GetInt32() },
                "use_clipped_model_output" => arguments with { UseClippedModelOutput = argument.Value.GetBoolean() },
                var other => throw new NotCoveredException($"the step argument {other} is unknown"),
            };
        }

        return arguments;
    }

    // The reference repeats a level for the calls of a step of two calls, and pads DPM2's end.
    private static double[] ReferenceSigmas(Sampler sampler)
    {
        double[] sigmas = [.. sampler.Sigmas.Select(sigma => (double)sigma)];
        if (sampler.CallsPerStep == 1)
        {
            return sigmas;
        }

        double[] doubled = [sigmas[0], .. sigmas[1..^1].SelectMany(sigma => (double[])[sigma, sigma]), sigmas[^1]];
        return sampler.Config.ClassName.StartsWith("KDPM2", StringComparison.Ordinal) ? [.. doubled, 0, 0] : doubled;
    }

    private static double[] Numbers(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(item => item.GetDouble())] : [value.GetDouble()];

    private static void Check(this double[] expected, IEnumerable<double> got, Tolerance tolerance, string name) =>
        tolerance.Check(tensor(got.ToArray()), tensor(expected), name);

    private static string Plain(object? value) => value switch
    {
        JsonElement { ValueKind: JsonValueKind.Number } number => Plain(number.GetDouble()),
        JsonElement { ValueKind: JsonValueKind.Array } array => Plain(array.EnumerateArray().Select(item => item.GetDouble()).ToArray()),
        JsonElement { ValueKind: JsonValueKind.Null } or null => "none",
        JsonElement other => other.ToString(),
        double[] numbers => string.Join(";", numbers.Select(number => Plain(number))),
        long whole => Plain((double)whole),
        double.NegativeInfinity => "-Infinity",
        IFormattable number => number.ToString("R", System.Globalization.CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
