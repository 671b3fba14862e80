using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Layers;

/// <summary>Layers whose parameters have a shape and no memory. The loader replaces the parameters by the checkpoint's tensors.</summary>
internal static class ShapeOnly
{
    public static Linear Linear(long inputs, long outputs, bool bias = true) => nn.Linear(inputs, outputs, bias, META);

    public static Conv2d Conv2d(long inputs, long outputs, long kernel, long stride = 1, long padding = 0) =>
        nn.Conv2d(inputs, outputs, kernel, stride, padding, device: META);

    public static GroupNorm GroupNorm(long groups, long channels, double eps) => nn.GroupNorm(groups, channels, eps, device: META);

    public static LayerNorm LayerNorm(long width, double eps) => nn.LayerNorm(width, eps, device: META);

    public static Embedding Embedding(long entries, long width) => nn.Embedding(entries, width, device: META);
}
