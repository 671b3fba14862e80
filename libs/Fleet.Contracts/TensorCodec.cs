using System.Buffers.Binary;
using System.IO.Hashing;
using Fleet.Contracts.Tensor.V1;
using Google.Protobuf;

namespace Fleet.Contracts;

/// <summary>A whole tensor as it crosses a process boundary: little-endian, rows contiguous.</summary>
public sealed record TensorBytes(string Name, DType DType, IReadOnlyList<long> Shape, byte[] Data);

/// <summary>Cuts tensors into the messages of fleet/tensor/v1/tensor.proto.</summary>
public static class TensorCodec
{
    /// <summary>Bytes of one element.</summary>
    /// <exception cref="TensorStreamException">The dtype is unspecified or unknown.</exception>
    public static int ElementBytes(DType dtype) => dtype switch
    {
        DType.Float32 => 4,
        DType.Float16 or DType.Bfloat16 => 2,
        DType.Int64 => 8,
        _ => throw new TensorStreamException("header.dtype", dtype, "FLOAT32, FLOAT16, BFLOAT16 or INT64"),
    };

    /// <summary>Header, frames and trailer of a tensor. The frames refer to <paramref name="data"/>, which must not change until they are sent.</summary>
    public static IEnumerable<TensorChunk> Split(string name, DType dtype, IReadOnlyList<long> shape, ReadOnlyMemory<byte> data)
    {
        var header = new TensorHeader { Name = name, Dtype = dtype, ByteLength = data.Length };
        header.Shape.AddRange(shape);
        yield return new TensorChunk { Header = header };

        for (int offset = 0; offset < data.Length; offset += Wire.FrameBytes)
        {
            var run = data.Slice(offset, Math.Min(Wire.FrameBytes, data.Length - offset));
            yield return new TensorChunk { Frame = new TensorFrame { Offset = offset, Data = UnsafeByteOperations.UnsafeWrap(run) } };
        }

        yield return new TensorChunk { Trailer = new TensorTrailer { Xxh3128 = ByteString.CopyFrom(Checksum(data.Span)) } };
    }

    internal static byte[] Checksum(ReadOnlySpan<byte> data)
    {
        var checksum = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(checksum, XxHash128.HashToUInt128(data));
        return checksum;
    }
}
