using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fleet.Safetensors;

/// <summary>A tensor that is about to be written.</summary>
public sealed record SafetensorsDeclaration(string Name, SafetensorsDType DType, IReadOnlyList<long> Shape)
{
    internal long ByteLength => Shape.Aggregate((long)DType.ByteSize(), (bytes, length) => checked(bytes * length));
}

/// <summary>
/// Writes a safetensors file tensor by tensor, so that a file larger than memory can be written. The file appears under its
/// name when it is complete and on disk, not before.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private readonly string path;
    private readonly string temporary;
    private readonly FileStream stream;
    private readonly IReadOnlyList<SafetensorsDeclaration> declarations;
    private int next;

    /// <summary>Creates the file and writes its header. Tensors are laid out in the order of <paramref name="declarations"/>.</summary>
    public SafetensorsWriter(
        string path, IReadOnlyList<SafetensorsDeclaration> declarations, IReadOnlyDictionary<string, string>? metadata = null)
    {
        this.path = path;
        this.declarations = declarations;
        byte[] header = BuildHeader(declarations, metadata);
        temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
        stream.Write(header);
    }

    /// <summary>Writes the next tensor's bytes: little-endian, rows contiguous.</summary>
    /// <exception cref="ArgumentException">The name is not the next declared, or the length does not fit its shape.</exception>
    public void Write(string name, ReadOnlySpan<byte> data)
    {
        if (next == declarations.Count || declarations[next].Name != name)
        {
            string expected = next == declarations.Count ? "no further tensor" : $"'{declarations[next].Name}'";
            throw new ArgumentException($"Tensor '{name}' was written where {expected} is due.", nameof(name));
        }

        if (data.Length != declarations[next].ByteLength)
        {
            throw new ArgumentException($"Tensor '{name}' takes {declarations[next].ByteLength} bytes, not {data.Length}.", nameof(data));
        }

        stream.Write(data);
        next++;
    }

    /// <summary>Flushes the file to disk and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">A declared tensor was not written.</exception>
    public void Complete()
    {
        if (next < declarations.Count)
        {
            throw new InvalidOperationException($"Tensor '{declarations[next].Name}' of {path} was not written.");
        }

        stream.Flush(flushToDisk: true);
        stream.Dispose();
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Closes the file; without <see cref="Complete"/> nothing remains of it.</summary>
    public void Dispose()
    {
        stream.Dispose();
        File.Delete(temporary);
    }

    private static byte[] BuildHeader(IReadOnlyList<SafetensorsDeclaration> declarations, IReadOnlyDictionary<string, string>? metadata)
    {
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                writer.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                {
                    writer.WriteString(key, value);
                }

                writer.WriteEndObject();
            }

            long offset = 0;
            foreach (var declaration in declarations)
            {
                writer.WriteStartObject(declaration.Name);
                writer.WriteString("dtype", declaration.DType.Token());
                WriteIntegers(writer, "shape", declaration.Shape);
                WriteIntegers(writer, "data_offsets", [offset, offset + declaration.ByteLength]);
                writer.WriteEndObject();
                offset += declaration.ByteLength;
            }

            writer.WriteEndObject();
        }

        // Spaces bring the data to a multiple of 8, so that every element type is aligned in a mapped file.
        long padded = (json.Length + 7) / 8 * 8;
        var header = new byte[8 + padded];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteInt64LittleEndian(header, padded);
        json.ToArray().CopyTo(header, 8);
        return header;
    }

    private static void WriteIntegers(Utf8JsonWriter writer, string name, IReadOnlyList<long> values)
    {
        writer.WriteStartArray(name);
        foreach (long value in values)
        {
            writer.WriteNumberValue(value);
        }

        writer.WriteEndArray();
    }
}
