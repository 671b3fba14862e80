using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Sampling;

/// <summary>Classifier-free guidance: Ho and Salimans 2022 (arXiv:2207.12598).</summary>
public static class Guidance
{
    /// <summary>The guided prediction, u + scale (c - u), with its spread drawn towards that of the conditional one.</summary>
    /// <param name="unconditional">(b, c, h, w).</param>
    /// <param name="conditional">(b, c, h, w).</param>
    /// <param name="scale">1: the conditional prediction itself.</param>
    /// <param name="rescale">0: as it is; 1: with the conditional one's standard deviation (arXiv:2305.08891, section 3.4).</param>
    public static Tensor Combine(Tensor unconditional, Tensor conditional, double scale, double rescale)
    {
        using var scope = NewDisposeScope();
        var guided = unconditional + (float)scale * (conditional - unconditional);
        if (rescale > 0)
        {
            var rescaled = guided * (Spread(conditional) / Spread(guided));
            guided = (float)rescale * rescaled + (float)(1 - rescale) * guided;
        }

        return scope.MoveToOuter(guided);
    }

    private static Tensor Spread(Tensor prediction) => prediction.std([1, 2, 3], unbiased: true, keepdim: true);
}
