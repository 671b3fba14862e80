using Fleet.Contracts;
using Fleet.Contracts.Tensor.V1;
using Google.Protobuf;

namespace Fleet.Serving.Tests.Contracts;

public sealed class TensorAssemblerTests
{
    private static readonly byte[] Data = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7))];

    [Fact]
    public void Add_WhatSplitGives_ReturnsTheSameTensor()
    {
        var assembler = new TensorAssembler(1 << 20);

        var tensors = TensorCodec.Split("a", DType.Float32, [3, 25_000], Data).Select(assembler.Add).ToList();

        tensors.Take(tensors.Count - 1).Should().AllSatisfy(t => t.Should().BeNull());
        tensors[^1]!.Data.Should().Equal(Data);
        tensors[^1]!.Shape.Should().Equal(3, 25_000);
        assembler.Empty.Should().BeTrue();
    }

    [Fact]
    public void Split_LargeTensor_KeepsFramesSmallAndInOrder()
    {
        var frames = TensorCodec.Split("a", DType.Float32, [75_000], Data).Where(c => c.Frame is not null).Select(c => c.Frame).ToList();

        frames.Should().HaveCount(3).And.AllSatisfy(f => f.Data.Length.Should().BeLessThanOrEqualTo(Wire.FrameBytes));
        frames.Select(f => f.Offset).Should().Equal(0, Wire.FrameBytes, 2 * Wire.FrameBytes);
    }

    [Fact]
    public void Add_FrameOutOfOrder_NamesBothOffsets()
    {
        var chunks = TensorCodec.Split("a", DType.Float32, [75_000], Data).ToList();
        var assembler = new TensorAssembler(1 << 20);
        assembler.Add(chunks[0]);

        FluentActions.Invoking(() => assembler.Add(chunks[2])).Should().Throw<TensorStreamException>()
            .WithMessage("tensor.frame.offset is 131072; expected 0,*");
    }

    [Fact]
    public void Add_ChangedByte_IsFoundByTheChecksum()
    {
        var chunks = TensorCodec.Split("a", DType.Float32, [75_000], Data).Select(c => c.Clone()).ToList();
        var changed = chunks[1].Frame.Data.ToByteArray();
        changed[17] ^= 1;
        chunks[1].Frame.Data = ByteString.CopyFrom(changed);
        var assembler = new TensorAssembler(1 << 20);

        FluentActions.Invoking(() => chunks.ForEach(c => assembler.Add(c))).Should().Throw<TensorStreamException>()
            .Which.Field.Should().Be("trailer.xxh3_128");
    }

    [Theory]
    [InlineData(new long[] { 1 << 20, 1 << 20 }, "at most 1048576 bytes")]
    [InlineData(new long[] { long.MaxValue, long.MaxValue }, "at most 1048576 bytes")]
    [InlineData(new long[] { 4, 0 }, "at least 1")]
    [InlineData(new long[] { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, "at most 8 dimensions")]
    public void Add_HeaderBeyondLimits_IsRefusedBeforeMemoryIsTaken(long[] shape, string expected)
    {
        var header = new TensorHeader { Name = "a", Dtype = DType.Float32, ByteLength = 4 };
        header.Shape.AddRange(shape);

        FluentActions.Invoking(() => new TensorAssembler(1 << 20).Add(new TensorChunk { Header = header }))
            .Should().Throw<TensorStreamException>().WithMessage($"*header.shape*{expected}*");
    }

    [Fact]
    public void Add_WrongSequence_SaysWhatIsDue()
    {
        var chunks = TensorCodec.Split("a", DType.Float32, [75_000], Data).ToList();

        Adding().Should().Throw<TensorStreamException>().WithMessage("*part*");
        Adding(chunks[1]).Should().Throw<TensorStreamException>().WithMessage("*header first*");
        Adding(chunks[^1]).Should().Throw<TensorStreamException>().WithMessage("*header first*");
        Adding(chunks[0], chunks[0]).Should().Throw<TensorStreamException>().WithMessage("*the rest of 'a'*");
        Adding(chunks[0], chunks[1], chunks[^1]).Should().Throw<TensorStreamException>().WithMessage("*300000 bytes before it*");
        Adding(new TensorChunk { Header = new TensorHeader { Name = "a", ByteLength = 4, Shape = { 1 } } }).Should().Throw<TensorStreamException>().WithMessage("*dtype*");
        Adding(new TensorChunk { Header = new TensorHeader { Name = "a", Dtype = DType.Int64, ByteLength = 4, Shape = { 1 } } }).Should().Throw<TensorStreamException>().WithMessage("*byte_length is 4; expected 8*");

        static Action Adding(params TensorChunk[] chunks) => () =>
        {
            var assembler = new TensorAssembler(1 << 20);
            foreach (var chunk in chunks.DefaultIfEmpty(new TensorChunk()))
            {
                assembler.Add(chunk);
            }
        };
    }
}
