using Fleet.Safetensors;
using Microsoft.Win32.SafeHandles;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>An open safetensors file whose tensors are either mapped or converted into memory of their own.</summary>
internal sealed class WeightFile(SafetensorsFile file) : IDisposable
{
    private const int PieceBytes = 4 << 20;

    private Tensor? piece;

    public string Name => file.Name;

    public SafetensorsHeader Header => file.Header;

    /// <summary>What is equal for two tensors of the same bytes.</summary>
    public string ContentOf(SafetensorsEntry entry) => file.Place(entry).Content;

    /// <summary>A view of the file.</summary>
    public Tensor Map(SafetensorsEntry entry) => file.Read(entry.Name);

    /// <summary>
    /// A tensor in another dtype, as one row. Read piece by piece: mapping what is only converted would leave its pages resident
    /// beside the result, and so would a copy as large as the tensor.
    /// </summary>
    public Tensor Convert(SafetensorsEntry entry, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var place = file.Place(entry);
        using var handle = File.OpenHandle(place.Path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.SequentialScan);
        int size = entry.DType.ByteSize();
        long count = entry.ByteLength / size;
        var result = empty(count, dtype);
        var source = Piece(entry.DType);
        for (long done = 0, length; done < count; done += length)
        {
            length = Math.Min(source.numel(), count - done);
            ReadExactly(handle, source.bytes[..(int)(length * size)], place.Offset + done * size, entry.Name);
            result.narrow(0, done, length).copy_(source.narrow(0, 0, length));
        }

        return scope.MoveToOuter(result);
    }

    public void Dispose()
    {
        file.Dispose();
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

    private void ReadExactly(SafeFileHandle handle, Span<byte> bytes, long offset, string tensor)
    {
        for (int done = 0; done < bytes.Length;)
        {
            int got = RandomAccess.Read(handle, bytes[done..], offset + done);
            done += got > 0 ? got : throw new CheckpointException($"{Name} ended inside tensor '{tensor}': it was cut while it was read.");
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

    /// <summary>What the whole stored tensor is shared by, and its bytes in memory.</summary>
    public (TensorKey Key, long Bytes) In(ScalarType dtype, Device device) => (
        new TensorKey(File.ContentOf(Entry), Entry.DType, dtype, device.ToString()),
        Entry.ByteLength / Entry.DType.ByteSize() * dtype.ElementSize());

    /// <summary>The whole stored tensor: a view of the mapped file, or converted into memory of its own.</summary>
    public Tensor Whole(ScalarType dtype, bool mapped) => mapped ? File.Map(Entry) : File.Convert(Entry, dtype);

    /// <summary>The parameter's values as a view of the whole stored tensor; a transposed one is a copy, which nobody shares.</summary>
    public Tensor Of(Tensor whole)
    {
        using var scope = NewDisposeScope();
        var rows = whole.view([.. Entry.Shape]);
        var part = Parts == 1 ? rows : rows.narrow(0, Part * (Entry.Shape[0] / Parts), Entry.Shape[0] / Parts);
        return scope.MoveToOuter(Transposed ? part.t().contiguous() : part);
    }
}
