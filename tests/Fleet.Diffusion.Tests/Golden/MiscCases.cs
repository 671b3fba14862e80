using System.Text.Json;
using Fleet.Diffusion.Sampling;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Draws of torch's CPU generator: all element types, first and second draws, and the generator's other uses.</summary>
internal static class MiscCases
{
    public static void Compare(GoldenCase golden)
    {
        if (golden.Id == "metrics")
        {
            MetricsCases.Compare(golden);
            return;
        }

        if (golden.Id != "rng")
        {
            throw new NotCoveredException("attention maps");
        }

        using var scope = NewDisposeScope();
        using var tensors = golden.OpenTensors();
        var compared = new HashSet<string>();
        void Check(string name, Tensor got)
        {
            Tolerance.Of(golden).Check(got, tensors[name], name);
            compared.Add(name);
        }

        foreach (var drawn in golden.Json.GetProperty("cases").EnumerateArray())
        {
            CheckDraws(drawn.GetProperty("key").GetString()!, drawn.GetProperty("seed").GetInt64(), Shape(drawn.GetProperty("shape")), Check);
        }

        foreach (string name in tensors.Names.Except(compared).ToList())
        {
            CheckOther(name, Check);
        }

        compared.Should().BeEquivalentTo(tensors.Names);
    }

    private static void CheckDraws(string key, long seed, long[] shape, Action<string, Tensor> check)
    {
        using (var generator = new NoiseGenerator(seed))
        {
            check($"{key}.fp32", generator.Draw(shape));
            check($"{key}.fp32_second_draw", generator.Draw(shape));
        }

        foreach (var (name, dtype) in new[] { ("fp16", float16), ("bf16", bfloat16), ("fp64", float64) })
        {
            using var generator = new NoiseGenerator(seed);
            check($"{key}.{name}", generator.Draw(dtype, shape));
        }

        using var uniform = new Generator((ulong)seed, CPU);
        check($"{key}.rand_fp32", rand(shape, generator: uniform));
    }

    // "s42.randint_0_1000", "s42.randperm_20", "list_of_generators_11_12.2x4x8x8"
    private static void CheckOther(string name, Action<string, Tensor> check)
    {
        if (name.StartsWith("list_of_generators_", StringComparison.Ordinal))
        {
            var parts = name["list_of_generators_".Length..].Split('.');
            long[] shape = [1, .. parts[1].Split('x').Skip(1).Select(long.Parse)];
            check(name, cat([.. parts[0].Split('_').Select(seed => Draw(long.Parse(seed), shape))]));
            return;
        }

        using var generator = new Generator(ulong.Parse(name[1..name.IndexOf('.')]), CPU);
        switch (name[(name.IndexOf('.') + 1)..])
        {
            case "randint_0_1000":
                check(name, randint(0, 1000, [20], generator: generator));
                break;
            case "randperm_20":
                check(name, randperm(20, generator: generator));
                break;
            default:
                throw new NotCoveredException($"a draw named '{name}'");
        }
    }

    private static Tensor Draw(long seed, long[] shape)
    {
        using var generator = new NoiseGenerator(seed);
        return generator.Draw(shape);
    }

    private static long[] Shape(JsonElement shape) => [.. shape.EnumerateArray().Select(length => length.GetInt64())];
}
