using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Keeps what every inner block of a model puts out, by the block's path, for the first picture of the batch.</summary>
internal sealed class BlockRecorder
{
    private readonly Dictionary<string, Tensor> outputs = new(StringComparer.Ordinal);

    public BlockRecorder(Module model)
    {
        foreach (var (path, module) in model.named_modules())
        {
            Attach(path, module);
        }
    }

    /// <summary>The outputs of the last forward pass; <c>.resI</c> are the tensors that a block hands on as skips.</summary>
    public IReadOnlyDictionary<string, Tensor> Outputs => outputs;

    private void Attach(string path, Module module)
    {
        switch (module)
        {
            case Module<Tensor, Tensor> m:
                m.register_forward_hook((_, _, output) => Keep(path, output));
                break;
            case Module<Tensor, Tensor, Tensor> m:
                m.register_forward_hook((_, _, _, output) => Keep(path, output));
                break;
            case Module<Tensor, (long Height, long Width), Tensor> m:
                m.register_forward_hook((_, _, _, output) => Keep(path, output));
                break;
            case Module<Tensor, Tensor, Tensor, Tensor> m:
                m.register_forward_hook((_, _, _, _, output) => Keep(path, output));
                break;
            case Module<Tensor, Tensor, Tensor, Tensor[]> m:
                m.register_forward_hook((_, _, _, _, skips) => KeepAll(path, skips));
                break;
            case Module<Tensor, Tensor[], Tensor, Tensor, (long Height, long Width), Tensor> m:
                m.register_forward_hook((_, _, _, _, _, _, output) => Keep(path, output));
                break;
        }
    }

    private Tensor[] KeepAll(string path, Tensor[] skips)
    {
        for (int i = 0; i < skips.Length; i++)
        {
            Keep($"{path}.res{i}", skips[i]);
        }

        Keep(path, skips[^1]);
        return skips;
    }

    // A copy, because later layers write over their input where nothing else needs it.
    private Tensor Keep(string path, Tensor output)
    {
        outputs[path] = output.narrow(0, 0, 1).clone().DetachFromDisposeScope();
        return output;
    }
}
