using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tokenization;

/// <summary>Attention weights on embeddings, as AUTOMATIC1111's web UI applies them.</summary>
public static class EmbeddingWeights
{
    /// <summary>Embeddings (b, t, w) times weights (b, t), each of the b chunks brought back to the mean it had. A chunk whose weights are all 1 comes out bit for bit as it was.</summary>
    public static Tensor Apply(Tensor embeddings, Tensor weights)
    {
        using var scope = NewDisposeScope();
        var weighted = embeddings * weights.to(embeddings.dtype).to(embeddings.device).unsqueeze(-1);
        var ratio = embeddings.mean([1, 2], keepdim: true) / weighted.mean([1, 2], keepdim: true);

        // No factor brings a mean of zero back: weights of 0 throughout stay zeros.
        ratio = where(isfinite(ratio), ratio, ones_like(ratio));
        return (weighted * ratio).MoveToOuterDisposeScope();
    }
}
