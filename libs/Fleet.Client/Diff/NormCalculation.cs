using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Fleet.Safetensors;

namespace Fleet.Client.Diff;

/// <summary>Norms of a tensor's change, from two streams of elements in little-endian order, in memory that does not grow with the tensor.</summary>
internal static class NormCalculation
{
    private const int ElementsAtATime = 16 * 1024;

    public static bool Knows(SafetensorsDType dtype) =>
        dtype is SafetensorsDType.F32 or SafetensorsDType.F16 or SafetensorsDType.BF16 or SafetensorsDType.F64;

    public static async Task<TensorNorms> ComputeAsync(
        Stream a, SafetensorsDType dtypeA, Stream b, SafetensorsDType dtypeB, long elements, CancellationToken cancellationToken)
    {
        var before = new Side(a, dtypeA);
        var after = new Side(b, dtypeB);
        double squares = 0, differences = 0;
        long notFinite = 0;
        for (long left = elements; left > 0;)
        {
            int count = (int)Math.Min(left, ElementsAtATime);
            await before.ReadAsync(count, cancellationToken);
            await after.ReadAsync(count, cancellationToken);
            Add(before.Values.AsSpan(0, count), after.Values.AsSpan(0, count), ref squares, ref differences, ref notFinite);
            left -= count;
        }

        return new TensorNorms(Math.Sqrt(squares), Math.Sqrt(differences), notFinite);
    }

    private static void Add(ReadOnlySpan<double> a, ReadOnlySpan<double> b, ref double squares, ref double differences, ref long notFinite)
    {
        for (int i = 0; i < a.Length; i++)
        {
            double square = a[i] * a[i];
            double difference = (b[i] - a[i]) * (b[i] - a[i]);
            if (double.IsFinite(square + difference))
            {
                squares += square;
                differences += difference;
            }
            else
            {
                notFinite++;
            }
        }
    }

    private sealed class Side(Stream stream, SafetensorsDType dtype)
    {
        private readonly byte[] bytes = new byte[ElementsAtATime * dtype.ByteSize()];

        public double[] Values { get; } = new double[ElementsAtATime];

        public async Task ReadAsync(int count, CancellationToken cancellationToken)
        {
            var chunk = bytes.AsMemory(0, count * dtype.ByteSize());
            await stream.ReadExactlyAsync(chunk, cancellationToken);
            Widen(chunk.Span, Values);
        }

        private void Widen(ReadOnlySpan<byte> from, Span<double> to)
        {
            switch (dtype)
            {
                case SafetensorsDType.F64:
                    from.CopyTo(MemoryMarshal.AsBytes(to));
                    break;
                case SafetensorsDType.F32:
                    for (int i = 0; i < from.Length / 4; i++)
                    {
                        to[i] = BinaryPrimitives.ReadSingleLittleEndian(from[(4 * i)..]);
                    }

                    break;
                case SafetensorsDType.F16:
                    for (int i = 0; i < from.Length / 2; i++)
                    {
                        to[i] = (double)BinaryPrimitives.ReadHalfLittleEndian(from[(2 * i)..]);
                    }

                    break;
                case SafetensorsDType.BF16: // the upper half of a float
                    for (int i = 0; i < from.Length / 2; i++)
                    {
                        to[i] = BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(from[(2 * i)..]) << 16);
                    }

                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(from), dtype, "no floating-point number");
            }
        }
    }
}
