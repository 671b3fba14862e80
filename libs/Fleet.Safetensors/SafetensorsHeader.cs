using System.Buffers.Binary;
using System.Text.Json;

namespace Fleet.Safetensors;

/// <summary>One tensor of a file. Offsets are bytes from the start of the data, end exclusive.</summary>
public sealed record SafetensorsEntry(string Name, SafetensorsDType DType, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>Bytes of the tensor.</summary>
    public long ByteLength => End - Begin;
}

/// <summary>
/// The header of a safetensors file: which tensors it holds and where. Reading it checks everything that the format
/// promises, so that what follows may trust the offsets.
/// </summary>
/// <remarks>
/// Format: 8 bytes little-endian length n, n bytes of UTF-8 JSON that start with '{' and may end in spaces, then the data.
/// The tensors cover the data without gap or overlap (https://github.com/huggingface/safetensors, "Format").
/// </remarks>
public sealed class SafetensorsHeader
{
    /// <summary>The longest header that is read: the limit of the reference implementation, 100 MB.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    private readonly Dictionary<string, SafetensorsEntry> byName;

    private SafetensorsHeader(long dataStart, List<SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        DataStart = dataStart;
        Entries = entries;
        Metadata = metadata;
        byName = entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>Bytes before the data: 8 plus the length of the JSON.</summary>
    public long DataStart { get; }

    /// <summary>The tensors in order of offset.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The free text of <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of that name, or null.</summary>
    public SafetensorsEntry? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Reads the header of a file.</summary>
    /// <exception cref="SafetensorsFormatException">The file is not safetensors, damaged or cut.</exception>
    public static SafetensorsHeader Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
        return Read(stream, stream.Length, path);
    }

    /// <summary>Reads the header from the start of a stream of <paramref name="length"/> bytes; leaves it at the data.</summary>
    /// <exception cref="SafetensorsFormatException">The bytes are not safetensors, damaged or cut; <paramref name="file"/> is named.</exception>
    public static SafetensorsHeader Read(Stream stream, long length, string file)
    {
        Span<byte> prefix = stackalloc byte[8];
        int got = stream.ReadAtLeast(prefix, 8, throwOnEndOfStream: false);
        if (got < 8)
        {
            throw Refusal(prefix[..got], file, $"truncated: {length} bytes, where 8 bytes of header length are needed");
        }

        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > MaxHeaderBytes)
        {
            throw Refusal(
                prefix, file, $"not safetensors: the first 8 bytes say a header of {headerLength} bytes, where at most {MaxHeaderBytes} are allowed");
        }

        long available = length - 8;
        if ((long)headerLength > available)
        {
            throw Refusal(
                prefix, file, $"truncated: the header is said to have {headerLength} bytes and only {available} follow");
        }

        var json = new byte[headerLength];
        if (stream.ReadAtLeast(json, json.Length, throwOnEndOfStream: false) < json.Length)
        {
            throw new SafetensorsFormatException(file, $"truncated: the stream ended inside the header of {headerLength} bytes");
        }

        if (json.Length == 0 || json[0] != (byte)'{')
        {
            throw Refusal(prefix, file, "not safetensors: the header does not start with '{'");
        }

        return Parse(json, available - (long)headerLength, file);
    }

    private static SafetensorsHeader Parse(byte[] json, long dataLength, string file)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new SafetensorsFormatException(file, $"the header is not valid JSON: {e.Message}");
        }

        using (document)
        {
            var entries = new List<SafetensorsEntry>();
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == "__metadata__")
                {
                    ReadMetadata(property.Value, metadata, file);
                }
                else
                {
                    entries.Add(ReadEntry(property, file));
                }
            }

            entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
            RequireCover(entries, dataLength, file);
            return new SafetensorsHeader(8 + json.Length, entries, metadata);
        }
    }

    private static void ReadMetadata(JsonElement value, Dictionary<string, string> metadata, string file)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw new SafetensorsFormatException(file, "__metadata__ is not an object");
        }

        foreach (var item in value.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.String)
            {
                throw new SafetensorsFormatException(file, $"__metadata__ '{item.Name}' is not a string");
            }

            metadata[item.Name] = item.Value.GetString()!;
        }
    }

    private static SafetensorsEntry ReadEntry(JsonProperty property, string file)
    {
        string name = property.Name;
        if (property.Value.ValueKind != JsonValueKind.Object
            || !property.Value.TryGetProperty("dtype", out var dtypeValue) || dtypeValue.ValueKind != JsonValueKind.String
            || !property.Value.TryGetProperty("shape", out var shapeValue) || shapeValue.ValueKind != JsonValueKind.Array
            || !property.Value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array)
        {
            throw new SafetensorsFormatException(file, $"tensor '{name}': dtype, shape and data_offsets are needed");
        }

        var dtype = SafetensorsDTypes.FromToken(dtypeValue.GetString())
            ?? throw new SafetensorsFormatException(file, $"tensor '{name}': unknown dtype '{dtypeValue.GetString()}'");
        var shape = ReadIntegers(shapeValue, file, name, "shape");
        var range = ReadIntegers(offsets, file, name, "data_offsets");
        if (range.Length != 2 || range[1] < range[0])
        {
            throw new SafetensorsFormatException(file, $"tensor '{name}': data_offsets [{string.Join(", ", range)}] are not a begin and an end");
        }

        long bytes = ByteLength(shape, dtype, file, name);
        if (range[1] - range[0] != bytes)
        {
            throw new SafetensorsFormatException(
                file,
                $"tensor '{name}': shape [{string.Join(", ", shape)}] of {dtype.Token()} takes {bytes} bytes and its data_offsets hold {range[1] - range[0]}");
        }

        return new SafetensorsEntry(name, dtype, shape, range[0], range[1]);
    }

    private static long[] ReadIntegers(JsonElement array, string file, string name, string field)
    {
        var values = new long[array.GetArrayLength()];
        int i = 0;
        foreach (var item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long value) || value < 0)
            {
                throw new SafetensorsFormatException(file, $"tensor '{name}': {field} holds {item.GetRawText()}, where whole numbers from 0 are needed");
            }

            values[i++] = value;
        }

        return values;
    }

    private static long ByteLength(long[] shape, SafetensorsDType dtype, string file, string name)
    {
        try
        {
            return shape.Aggregate((long)dtype.ByteSize(), (bytes, length) => checked(bytes * length));
        }
        catch (OverflowException)
        {
            throw new SafetensorsFormatException(file, $"tensor '{name}': shape [{string.Join(", ", shape)}] has more elements than fit 64 bits");
        }
    }

    private static void RequireCover(List<SafetensorsEntry> entries, long dataLength, string file)
    {
        long end = 0;
        string? previous = null;
        foreach (var entry in entries)
        {
            if (entry.End > dataLength)
            {
                throw new SafetensorsFormatException(
                    file, $"tensor '{entry.Name}' ends at byte {entry.End} and the data have {dataLength}: the file is truncated or its header damaged");
            }

            if (entry.Begin < end)
            {
                throw new SafetensorsFormatException(file, $"tensors '{previous}' and '{entry.Name}' overlap at byte {entry.Begin}");
            }

            if (entry.Begin > end)
            {
                throw new SafetensorsFormatException(file, $"{entry.Begin - end} bytes before tensor '{entry.Name}' belong to no tensor");
            }

            end = entry.End;
            previous = entry.Name;
        }

        if (end != dataLength)
        {
            throw new SafetensorsFormatException(file, $"{dataLength - end} bytes at the end belong to no tensor");
        }
    }

    // Asked only once the bytes make no sense as safetensors: a header's length may begin like another format's magic number.
    private static SafetensorsFormatException Refusal(ReadOnlySpan<byte> start, string file, string fault)
    {
        const string Pickle =
            "Pickles execute code when they are read and are refused; convert it with safetensors.torch.save_file on a machine that you trust";
        string? format =
            start.StartsWith("PK\u0003\u0004"u8) ? $"a zip archive, most likely a PyTorch pickle. {Pickle}"
            : start is [0x80, >= 2 and <= 5, ..] ? $"a Python pickle. {Pickle}"
            : start.StartsWith("GGUF"u8) ? "a GGUF file"
            : start.StartsWith("version "u8) ? "a Git LFS pointer and not the file itself; run 'git lfs pull'"
            : null;
        return new SafetensorsFormatException(file, format is null ? fault : $"not safetensors: {format}");
    }
}
