using Fleet.Safetensors;
using Microsoft.Win32.SafeHandles;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Weights;

/// <summary>An open safetensors file whose tensors are either mapped or read into memory of their own.</summary>
internal sealed class WeightFile : IDisposable
{
    private readonly SafetensorsFile mapped;
    private readonly SafeFileHandle handle;

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

    /// <summary>A copy. Mapping what is only converted would leave its pages resident beside the result.</summary>
    public Tensor Copy(SafetensorsEntry entry)
    {
        var copy = empty([.. entry.Shape], entry.DType.ToScalarType());
        var bytes = copy.bytes;
        long offset = Header.DataStart + entry.Begin;
        for (int done = 0; done < bytes.Length;)
        {
            int got = RandomAccess.Read(handle, bytes[done..], offset + done);
            done += got > 0 ? got : throw new CheckpointException($"{Path} ended inside tensor '{entry.Name}': it was cut while it was read.");
        }

        return copy;
    }

    public void Dispose()
    {
        handle.Dispose();
        mapped.Dispose();
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

    /// <summary>The values in the file's dtype; a view of the mapped file if <paramref name="mapped"/>.</summary>
    public Tensor Read(bool mapped)
    {
        using var scope = NewDisposeScope();
        var whole = mapped ? File.Map(Entry) : File.Copy(Entry);
        long rows = Parts == 1 ? 0 : Entry.Shape[0] / Parts;
        var part = Parts == 1 ? whole : whole.narrow(0, Part * rows, rows);
        return scope.MoveToOuter(Transposed ? part.t().contiguous() : part);
    }
}
