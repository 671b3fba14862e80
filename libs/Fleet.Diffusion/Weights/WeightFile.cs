using Fleet.Safetensors;
using Microsoft.Win32.SafeHandles;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>An open safetensors file whose tensors are either mapped or converted into memory of their own.</summary>
internal sealed class WeightFile : IDisposable
{
    private const int PieceBytes = 4 << 20;

    private readonly SafetensorsFile mapped;
    private readonly SafeFileHandle handle;

    private Tensor? piece;

    public WeightFile(string path)
    {
        Path = path;
        mapped = SafetensorsFile.Open(path);
        handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.SequentialScan);
    }

    public string Path { get; }

    public SafetensorsHeader Header => mapped.Header;

    /// <summary>A view of the file.</summary>
    public Tensor Map(SafetensorsEntry entry) => mapped.Read(entry.Name);

    /// <summary>
    /// Elements <paramref name="first"/> to first + count of a tensor in another dtype, as one row. Read piece by piece: mapping
    /// what is only converted would leave its pages resident beside the result, and so would a copy as large as the tensor.
    /// </summary>
    public Tensor Convert(SafetensorsEntry entry, long first, long count, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var result = empty(count, dtype);
        int size = entry.DType.ByteSize();
        var source = Piece(entry.DType);
        long offset = Header.DataStart + entry.Begin + first * size;
        for (long done = 0, length; done < count; done += length)
        {
            length = Math.Min(source.numel(), count - done);
            ReadExactly(source.bytes[..(int)(length * size)], offset + done * size, entry.Name);
            result.narrow(0, done, length).copy_(source.narrow(0, 0, length));
        }

        return scope.MoveToOuter(result);
    }

    public void Dispose()
    {
        handle.Dispose();
        mapped.Dispose();
        piece?.Dispose();
    }

    // One for all tensors of a file: allocating it anew for each leaves holes in the heap, up to a seventh of the weights.
    private Tensor Piece(SafetensorsDType dtype)
    {
        if (piece is null || piece.dtype != dtype.ToScalarType())
        {
            piece?.Dispose();
            piece = empty(PieceBytes / dtype.ByteSize(), dtype.ToScalarType()).DetachFromDisposeScope();
        }

        return piece;
    }

    private void ReadExactly(Span<byte> bytes, long offset, string tensor)
    {
        for (int done = 0; done < bytes.Length;)
        {
            int got = RandomAccess.Read(handle, bytes[done..], offset + done);
            done += got > 0 ? got : throw new CheckpointException($"{Path} ended inside tensor '{tensor}': it was cut while it was read.");
        }
    }
}

/// <summary>Where the values of a parameter are: a tensor of a file, or one of several equal parts of its rows.</summary>
internal sealed record StoredTensor(WeightFile File, SafetensorsEntry Entry, int Part = 0, int Parts = 1, bool Transposed = false)
{
    public IReadOnlyList<long> Shape
    {
        get
        {
            var shape = Entry.Shape.Count == 0 ? [] : Entry.Shape.Skip(1).Prepend(Entry.Shape[0] / Parts);
            return Transposed ? [.. shape.Reverse()] : [.. shape];
        }
    }

    /// <summary>The values as a view of the mapped file, in its dtype.</summary>
    public Tensor Map()
    {
        using var scope = NewDisposeScope();
        var whole = File.Map(Entry);
        return scope.MoveToOuter(Turned(Parts == 1 ? whole : whole.narrow(0, Part * (Entry.Shape[0] / Parts), Entry.Shape[0] / Parts)));
    }

    /// <summary>The values in another dtype, in memory of their own.</summary>
    public Tensor Convert(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        long count = Shape.Aggregate(1L, (product, length) => product * length);
        long[] stored = Transposed ? [.. Shape.Reverse()] : [.. Shape];
        return scope.MoveToOuter(Turned(File.Convert(Entry, Part * count, count, dtype).view(stored)));
    }

    private Tensor Turned(Tensor values) => Transposed ? values.t().contiguous() : values;
}
