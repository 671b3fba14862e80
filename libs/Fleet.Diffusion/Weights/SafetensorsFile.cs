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
    private readonly Func<SafetensorsEntry, TensorPlace> place;
    private readonly Dictionary<(string Path, ScalarType DType), Tensor> mappings = [];

    private SafetensorsFile(string name, SafetensorsHeader header, Func<SafetensorsEntry, TensorPlace> place)
    {
        Name = name;
        Header = header;
        this.place = place;
    }

    /// <summary>What the file holds.</summary>
    public SafetensorsHeader Header { get; }

    /// <summary>How messages name the file.</summary>
    internal string Name { get; }

    /// <summary>Opens a file and checks its header. Tensor bytes are read when they are used.</summary>
    /// <exception cref="SafetensorsFormatException">The file is not safetensors, damaged or cut.</exception>
    public static SafetensorsFile Open(string path)
    {
        TorchRuntime.EnsureLoaded();
        var header = SafetensorsHeader.Read(path);
        var identity = Guid.NewGuid(); // a file's content may change between two openings
        return new SafetensorsFile(path, header, entry => new TensorPlace(path, header.DataStart + entry.Begin, $"{identity}/{entry.Begin}"));
    }

    /// <summary>A file whose header and tensors lie in files of their own.</summary>
    /// <param name="name">How messages name it.</param>
    /// <param name="parts">The header, then the tensors that are not empty in order of offset.</param>
    /// <exception cref="SafetensorsFormatException">The parts are not those of a safetensors file.</exception>
    public static SafetensorsFile Join(string name, IReadOnlyList<FilePart> parts)
    {
        TorchRuntime.EnsureLoaded();
        var header = ReadHeader(name, parts);
        var tensors = header.Entries.Where(entry => entry.ByteLength > 0).ToList();
        if (header.DataStart != parts[0].Size || !tensors.Select(entry => entry.ByteLength).SequenceEqual(parts.Skip(1).Select(part => part.Size)))
        {
            throw new SafetensorsFormatException(name, $"its {parts.Count} parts are not its header and its {tensors.Count} tensors");
        }

        var places = tensors.Zip(parts.Skip(1)).ToDictionary(pair => pair.First.Name, pair => new TensorPlace(pair.Second.Location, 0, pair.Second.Digest));
        return new SafetensorsFile(name, header, entry => places[entry.Name]);
    }

    /// <summary>
    /// The tensor of that name in the file's dtype and shape: a view of the mapped file, or a copy where the file does not
    /// align it.
    /// </summary>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    public Tensor Read(string name)
    {
        var entry = Header.Find(name) ?? throw new KeyNotFoundException($"{Name} has no tensor '{name}'.");
        var dtype = entry.DType.ToScalarType();
        int size = entry.DType.ByteSize();
        if (entry.ByteLength == 0)
        {
            return empty([.. entry.Shape], dtype);
        }

        var at = place(entry);
        if (at.Offset % size != 0)
        {
            return ReadCopy(entry, dtype, at);
        }

        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Mapping(at.Path, dtype, size).narrow(0, at.Offset / size, entry.ByteLength / size).reshape([.. entry.Shape]));
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

    /// <summary>Where the bytes of a tensor that is not empty lie.</summary>
    internal TensorPlace Place(SafetensorsEntry entry) => place(entry);

    private static SafetensorsHeader ReadHeader(string name, IReadOnlyList<FilePart> parts)
    {
        if (parts.Count == 0)
        {
            throw new SafetensorsFormatException(name, "truncated: 0 bytes, where 8 bytes of header length are needed");
        }

        using var stream = File.OpenRead(parts[0].Location);
        return SafetensorsHeader.Read(stream, parts.Sum(part => part.Size), name);
    }

    // The file as one tensor of a dtype. Mappings of one file share their pages, so one per dtype costs address space only.
    private Tensor Mapping(string path, ScalarType dtype, int size)
    {
        if (!mappings.TryGetValue((path, dtype), out var mapping))
        {
            mapping = from_file(path, shared: false, size: new FileInfo(path).Length / size, dtype: dtype).DetachFromDisposeScope();
            mappings.Add((path, dtype), mapping);
        }

        return mapping;
    }

    private static Tensor ReadCopy(SafetensorsEntry entry, ScalarType dtype, TensorPlace at)
    {
        var copy = empty([.. entry.Shape], dtype);
        using var stream = new FileStream(at.Path, FileMode.Open, FileAccess.Read, FileShare.Read);
        stream.Position = at.Offset;
        stream.ReadExactly(copy.bytes);
        return copy;
    }
}

/// <summary>Where the bytes of a tensor lie. Two tensors of the same content, as text, have the same bytes.</summary>
internal sealed record TensorPlace(string Path, long Offset, string Content);

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
