using Fleet.Contracts.Tensor.V1;

namespace Fleet.Contracts;

/// <summary>
/// Puts tensors together from their messages, one after another, and refuses whatever does not fit: a frame before its header,
/// a gap, an overlap, more bytes than announced, a wrong checksum. Memory is taken for what was announced and not beyond
/// <paramref name="maxBytes"/>.
/// </summary>
/// <param name="maxBytes">The most bytes that one tensor may have.</param>
public sealed class TensorAssembler(long maxBytes)
{
    private TensorHeader? header;
    private byte[] data = [];
    private int received;

    /// <summary>True between tensors: the stream may end here.</summary>
    public bool Empty => header is null;

    /// <summary>Takes the next message; returns the tensor when this was its trailer.</summary>
    /// <exception cref="TensorStreamException">The message does not fit the ones before it.</exception>
    public TensorBytes? Add(TensorChunk chunk)
    {
        switch (chunk.PartCase)
        {
            case TensorChunk.PartOneofCase.Header:
                Begin(chunk.Header);
                return null;
            case TensorChunk.PartOneofCase.Frame:
                Append(chunk.Frame);
                return null;
            case TensorChunk.PartOneofCase.Trailer:
                return End(chunk.Trailer);
            default:
                throw new TensorStreamException("part", "not set", "a header, a frame or a trailer");
        }
    }

    private void Begin(TensorHeader next)
    {
        if (header is not null)
        {
            throw new TensorStreamException("header", $"'{next.Name}' inside tensor '{header.Name}'", $"the rest of '{header.Name}' and its trailer");
        }

        if (next.Name.Length is 0 or > 64)
        {
            throw new TensorStreamException("header.name", $"of {next.Name.Length} characters", "1 to 64 characters");
        }

        if (next.Shape.Count > 8 || next.Shape.Any(length => length < 1))
        {
            throw new TensorStreamException("header.shape", $"[{string.Join(", ", next.Shape)}]", "at most 8 dimensions of at least 1");
        }

        // UInt128 cannot overflow before the comparison stops it: each factor is below 2^63 and is checked as it is multiplied.
        UInt128 bytes = (UInt128)TensorCodec.ElementBytes(next.Dtype);
        foreach (long length in next.Shape)
        {
            bytes *= (UInt128)length;
            if (bytes > (UInt128)maxBytes)
            {
                throw new TensorStreamException("header.shape", $"[{string.Join(", ", next.Shape)}]", $"at most {maxBytes} bytes");
            }
        }

        if (bytes != (UInt128)(ulong)next.ByteLength)
        {
            throw new TensorStreamException("header.byte_length", next.ByteLength, $"{bytes}, the bytes of shape [{string.Join(", ", next.Shape)}]");
        }

        header = next;
        data = GC.AllocateUninitializedArray<byte>((int)bytes);
        received = 0;
    }

    private void Append(TensorFrame frame)
    {
        if (header is null)
        {
            throw new TensorStreamException("frame", $"at offset {frame.Offset} without a header", "a header first");
        }

        if (frame.Offset != received)
        {
            throw new TensorStreamException("frame.offset", frame.Offset, $"{received}, the bytes of '{header.Name}' sent so far");
        }

        if (frame.Data.Length is 0 or > Wire.MaxFrameBytes)
        {
            throw new TensorStreamException("frame.data", $"of {frame.Data.Length} bytes", $"1 to {Wire.MaxFrameBytes} bytes");
        }

        if (frame.Data.Length > data.Length - received)
        {
            throw new TensorStreamException("frame.data", $"of {frame.Data.Length} bytes", $"at most {data.Length - received}, the rest of '{header.Name}'");
        }

        frame.Data.Span.CopyTo(data.AsSpan(received));
        received += frame.Data.Length;
    }

    private TensorBytes End(TensorTrailer trailer)
    {
        if (header is null)
        {
            throw new TensorStreamException("trailer", "without a header", "a header first");
        }

        if (received != data.Length)
        {
            throw new TensorStreamException("trailer", $"after {received} bytes of '{header.Name}'", $"{data.Length} bytes before it");
        }

        if (!trailer.Xxh3128.Span.SequenceEqual(TensorCodec.Checksum(data)))
        {
            throw new TensorStreamException(
                "trailer.xxh3_128", Convert.ToHexStringLower(trailer.Xxh3128.Span), $"{Convert.ToHexStringLower(TensorCodec.Checksum(data))}, the checksum of what arrived of '{header.Name}'");
        }

        var tensor = new TensorBytes(header.Name, header.Dtype, [.. header.Shape], data);
        header = null;
        data = [];
        return tensor;
    }
}
