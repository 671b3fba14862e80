using Fleet.Safetensors;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>
/// The tensors of a safetensors file, read by memory map. Pages are private: writing to a tensor changes memory, never the
/// file. A tensor keeps the mapping alive, so it may outlive this object.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly string path;
    private readonly long length;
    private readonly Dictionary<ScalarType, Tensor> mappings = [];

    private SafetensorsFile(string path, long length, SafetensorsHeader header)
    {
        this.path = path;
        this.length = length;
        Header = header;
    }

    /// <summary>What the file holds.</summary>
    public SafetensorsHeader Header { get; }

    /// <summary>Opens a file and checks its header. Tensor bytes are read when they are used.</summary>
    /// <exception cref="SafetensorsFormatException">The file is not safetensors, damaged or cut.</exception>
    public static SafetensorsFile Open(string path)
    {
        TorchRuntime.EnsureLoaded();
        return new SafetensorsFile(path, new FileInfo(path).Length, SafetensorsHeader.Read(path));
    }

    /// <summary>
    /// The tensor of that name in the file's dtype and shape: a view of the mapped file, or a copy where the file does not
    /// align it.
    /// </summary>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    public Tensor Read(string name)
    {
        var entry = Header.Find(name) ?? throw new KeyNotFoundException($"{path} has no tensor '{name}'.");
        var dtype = entry.DType.ToScalarType();
        int size = entry.DType.ByteSize();
        long begin = Header.DataStart + entry.Begin;
        if (begin % size != 0)
        {
            return ReadCopy(entry, dtype, begin);
        }

        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Mapping(dtype, size).narrow(0, begin / size, entry.ByteLength / size).reshape([.. entry.Shape]));
    }

    /// <summary>Releases this object's hold on the mapping.</summary>
    public void Dispose()
    {
        foreach (var mapping in mappings.Values)
        {
            mapping.Dispose();
        }

        mappings.Clear();
    }

    // The file as one tensor of a dtype. Mappings of one file share their pages, so one per dtype costs address space only.
    private Tensor Mapping(ScalarType dtype, int size)
    {
        if (!mappings.TryGetValue(dtype, out var mapping))
        {
            mapping = from_file(path, shared: false, size: length / size, dtype: dtype).DetachFromDisposeScope();
            mappings.Add(dtype, mapping);
        }

        return mapping;
    }

    private Tensor ReadCopy(SafetensorsEntry entry, ScalarType dtype, long begin)
    {
        var copy = empty([.. entry.Shape], dtype);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        stream.Position = begin;
        stream.ReadExactly(copy.bytes);
        return copy;
    }
}

/// <summary>The dtypes that a file and a tensor have in common.</summary>
public static class SafetensorsDTypeTensors
{
    /// <summary>The tensor dtype of a file's dtype.</summary>
    /// <exception cref="NotSupportedException">TorchSharp has no such dtype.</exception>
    public static ScalarType ToScalarType(this SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.Bool => ScalarType.Bool,
        SafetensorsDType.U8 => ScalarType.Byte,
        SafetensorsDType.I8 => ScalarType.Int8,
        SafetensorsDType.I16 => ScalarType.Int16,
        SafetensorsDType.F16 => ScalarType.Float16,
        SafetensorsDType.BF16 => ScalarType.BFloat16,
        SafetensorsDType.I32 => ScalarType.Int32,
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.F64 => ScalarType.Float64,
        SafetensorsDType.I64 => ScalarType.Int64,
        _ => throw new NotSupportedException($"Tensors of {dtype.Token()} cannot be read; F32, F16 and BF16 weights can."),
    };
}
