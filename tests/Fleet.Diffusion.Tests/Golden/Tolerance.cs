using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>
/// The one place of tolerances: |got - expected| &lt;= atol + rtol * |expected|, elementwise, float32 on a CPU. The numbers come
/// with each case, as the golden README recommends; a case may have one pair, or one pair per kind of result.
/// </summary>
internal sealed record Tolerance(double Atol, double Rtol)
{
    /// <summary>That of a component's forward pass, for a network call inside a pipeline.</summary>
    public static Tolerance Component { get; } = new(5e-5, 1e-4);

    /// <summary>The case's tolerance, or that of one kind of result ("final_latents", "image").</summary>
    public static Tolerance Of(GoldenCase golden, string? kind = null)
    {
        var tolerance = golden.Entry.GetProperty("tolerance");
        if (kind is not null && tolerance.TryGetProperty(kind, out var own))
        {
            tolerance = own;
        }

        return new Tolerance(Number(tolerance, "atol"), Number(tolerance, "rtol"));
    }

    /// <summary>Fails with the place and size of the worst deviation.</summary>
    public void Check(Tensor got, Tensor expected, string name)
    {
        using var scope = NewDisposeScope();
        got.shape.Should().Equal(expected.shape, "{0} has the reference's shape", name);
        var reference = expected.to(ScalarType.Float64).reshape(-1);
        var actual = got.to(ScalarType.Float64).cpu().reshape(-1);

        // Equal infinities and equal NaNs count as equal; a NaN on one side only is a failure.
        var same = actual.eq(reference).logical_or(actual.isnan().logical_and(reference.isnan()));
        var excess = ((actual - reference).abs() - (Atol + Rtol * reference.abs())).masked_fill(same, double.NegativeInfinity).nan_to_num(double.PositiveInfinity, double.PositiveInfinity);
        if (excess.numel() == 0 || excess.max().item<double>() <= 0)
        {
            return;
        }

        long at = excess.argmax().item<long>();
        Assert.Fail(
            $"{name}: element {at} is {actual[at].item<double>():G9}, the reference has {reference[at].item<double>():G9}; " +
            $"allowed {Atol:G3} + {Rtol:G3} * |reference|; {excess.gt(0).sum().item<long>()} of {excess.numel()} elements are outside.");
    }

    private static double Number(JsonElement tolerance, string name) => tolerance.GetProperty(name).GetDouble();
}
