using System.Numerics;
using System.Runtime.InteropServices;
using Fleet.Safetensors;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>
/// Gives the parameters of a model their values. A tensor that has the wanted dtype becomes the parameter as it lies in the
/// mapped file; any other is read and converted piece by piece, so that memory holds the result and little else. What another
/// model has loaded from the same pool is not loaded again.
/// </summary>
internal static class WeightLoader
{
    /// <exception cref="WeightMismatchException">The tensors are not those of the model.</exception>
    /// <exception cref="CheckpointException">A tensor holds NaN or infinity, or is of a dtype that weights do not have.</exception>
    /// <exception cref="WeightMemoryException">The budget does not allow it; nothing was loaded.</exception>
    public static void Load(
        nn.Module model,
        string component,
        IReadOnlyDictionary<string, StoredTensor> stored,
        IEnumerable<string> unexpected,
        TensorLoan weights,
        Device device,
        ScalarType dtype)
    {
        var slots = Slots(model).ToList();
        RequireMatch(component, slots, stored, unexpected);
        weights.Take(slots.Select(slot => stored[slot.Key].In(dtype, device)));
        foreach (var (key, slot, shape) in slots)
        {
            using var scope = NewDisposeScope();
            var source = stored[key];
            var whole = weights.Get(source.In(dtype, device).Key, () => Make(component, key, source, device, dtype));
            slot(new Parameter(source.Of(whole).view(shape).DetachFromDisposeScope(), requires_grad: false));
        }

        model.eval();
    }

    private static Tensor Make(string component, string key, StoredTensor source, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        bool asItIs = source.Entry.DType.ToScalarType() == dtype && device.type == DeviceType.CPU;
        var values = source.Whole(dtype, mapped: asItIs);
        RequireFinite(component, key, source, values);
        return scope.MoveToOuter(values.to(device));
    }

    // Every parameter: its key in the checkpoint, how to replace it, its shape.
    private static IEnumerable<(string Key, Action<Parameter> Replace, long[] Shape)> Slots(nn.Module model)
    {
        foreach (var (path, layer) in model.named_modules())
        {
            foreach (var (name, parameter) in layer.named_parameters(recurse: false))
            {
                yield return ($"{path}.{name}", Slot(layer, name), parameter.shape);
            }
        }
    }

    private static Action<Parameter> Slot(nn.Module layer, string name) => (layer, name) switch
    {
        (Linear linear, "weight") => p => linear.weight = p,
        (Linear linear, "bias") => p => linear.bias = p,
        (Conv2d conv, "weight") => p => conv.weight = p,
        (Conv2d conv, "bias") => p => conv.bias = p,
        (GroupNorm norm, "weight") => p => norm.weight = p,
        (GroupNorm norm, "bias") => p => norm.bias = p,
        (LayerNorm norm, "weight") => p => norm.weight = p,
        (LayerNorm norm, "bias") => p => norm.bias = p,
        (Embedding embedding, "weight") => p => embedding.weight = p,
        _ => throw new InvalidOperationException($"A {layer.GetType().Name} has no parameter '{name}' that can be loaded."),
    };

    private static void RequireMatch(
        string component,
        IReadOnlyList<(string Key, Action<Parameter> Replace, long[] Shape)> slots,
        IReadOnlyDictionary<string, StoredTensor> stored,
        IEnumerable<string> unexpected)
    {
        var keys = slots.Select(slot => slot.Key).ToHashSet(StringComparer.Ordinal);
        string[] missing = [.. keys.Where(key => !stored.ContainsKey(key))];
        string[] surplus = [.. stored.Keys.Where(key => !keys.Contains(key)).Concat(unexpected)];
        WrongShape[] wrong =
        [
            .. slots.Where(slot => stored.TryGetValue(slot.Key, out var source) && !SameShape(source.Shape, slot.Shape))
                .Select(slot => new WrongShape(slot.Key, stored[slot.Key].Shape, slot.Shape)),
        ];
        if (missing.Length + surplus.Length + wrong.Length > 0)
        {
            throw new WeightMismatchException(component, missing, surplus, wrong);
        }

        foreach (var (key, _, _) in slots)
        {
            var dtype = stored[key].Entry.DType;
            if (dtype is not (SafetensorsDType.F16 or SafetensorsDType.BF16 or SafetensorsDType.F32 or SafetensorsDType.F64))
            {
                throw new CheckpointException(
                    $"{component}: '{key}' is stored as {dtype.Token()}; weights in F32, F16, BF16 or F64 can be loaded.");
            }
        }
    }

    // A linear layer may be stored as a 1x1 convolution and the other way round: the bytes are the same.
    private static bool SameShape(IReadOnlyList<long> got, IReadOnlyList<long> expected) => Core(got).SequenceEqual(Core(expected));

    private static IEnumerable<long> Core(IReadOnlyList<long> shape) => shape is [var rows, var columns, 1, 1] ? [rows, columns] : shape;

    private static void RequireFinite(string component, string key, StoredTensor source, Tensor values)
    {
        if (!IsFinite(values))
        {
            throw new CheckpointException(
                $"{component}: '{key}' ({source.Entry.DType.Token()} in {source.File.Name}) holds NaN, infinity or a number beyond {values.dtype}; the file is damaged or the training failed.");
        }
    }

    // A float is NaN or infinite when all bits of its exponent are set.
    private static bool IsFinite(Tensor values) => values.dtype switch
    {
        ScalarType.Float32 => !AnyWithAllOf(MemoryMarshal.Cast<byte, uint>(values.bytes), 0x7f80_0000u),
        ScalarType.Float16 => !AnyWithAllOf(MemoryMarshal.Cast<byte, ushort>(values.bytes), (ushort)0x7c00),
        ScalarType.BFloat16 => !AnyWithAllOf(MemoryMarshal.Cast<byte, ushort>(values.bytes), (ushort)0x7f80),
        ScalarType.Float64 => !AnyWithAllOf(MemoryMarshal.Cast<byte, ulong>(values.bytes), 0x7ff0_0000_0000_0000u),
        _ => throw new ArgumentException($"A model cannot compute in {values.dtype}.", nameof(values)),
    };

    private static bool AnyWithAllOf<T>(ReadOnlySpan<T> values, T bits)
        where T : unmanaged, IBinaryInteger<T>
    {
        var wanted = new Vector<T>(bits);
        int i = 0;
        for (; i <= values.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            if (Vector.EqualsAny(new Vector<T>(values[i..]) & wanted, wanted))
            {
                return true;
            }
        }

        for (; i < values.Length; i++)
        {
            if ((values[i] & bits) == bits)
            {
                return true;
            }
        }

        return false;
    }
}
