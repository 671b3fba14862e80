using System.Buffers.Binary;
using System.Text;
using Fleet.Testing;

namespace Fleet.Safetensors.Tests;

public sealed class SafetensorsHeaderTests
{
    private const string OneFloat = """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""";

    [Fact]
    public void Read_OwnWriter_GivesTensorsMetadataAndBytes()
    {
        using var folder = new TemporaryFolder();
        string path = folder["model.safetensors"];
        using (var writer = new SafetensorsWriter(
            path,
            [new("b", SafetensorsDType.F16, [2, 3]), new("a", SafetensorsDType.I64, [])],
            new Dictionary<string, string> { ["format"] = "pt" }))
        {
            writer.Write("b", new byte[12]);
            writer.Write("a", [1, 2, 3, 4, 5, 6, 7, 8]);
            writer.Complete();
        }

        var header = SafetensorsHeader.Read(path);

        header.Entries.Should().BeEquivalentTo(
            [new SafetensorsEntry("b", SafetensorsDType.F16, [2, 3], 0, 12), new SafetensorsEntry("a", SafetensorsDType.I64, [], 12, 20)],
            options => options.WithStrictOrdering());
        header.Metadata.Should().Contain("format", "pt");
        (header.DataStart % 8).Should().Be(0);
        File.ReadAllBytes(path)[^8..].Should().Equal(1, 2, 3, 4, 5, 6, 7, 8);
    }

    [Fact]
    public void Dispose_WithoutComplete_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new SafetensorsWriter(folder["m.safetensors"], [new("a", SafetensorsDType.U8, [1])]))
        {
            writer.Write("a", [1]);
        }

        Directory.EnumerateFileSystemEntries(folder.Path).Should().BeEmpty();
    }

    [Fact]
    public void Write_OutOfOrderOrWrongLength_NamesWhatIsDue()
    {
        using var folder = new TemporaryFolder();
        using var writer = new SafetensorsWriter(folder["m.safetensors"], [new("a", SafetensorsDType.F32, [2])]);

        FluentActions.Invoking(() => writer.Write("b", new byte[8])).Should().Throw<ArgumentException>().WithMessage("*'b'*'a' is due*");
        FluentActions.Invoking(() => writer.Write("a", new byte[4])).Should().Throw<ArgumentException>().WithMessage("*8 bytes, not 4*");
        FluentActions.Invoking(writer.Complete).Should().Throw<InvalidOperationException>().WithMessage("*'a'*");
    }

    [Theory]
    [InlineData(OneFloat, 3, "tensor 'a' ends at byte 4 and the data have 3")]
    [InlineData(OneFloat, 9, "5 bytes at the end belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "4 bytes before tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "tensors 'a' and 'b' overlap at byte 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "shape [2] of F32 takes 8 bytes and its data_offsets hold 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "data_offsets [4, 0] are not a begin and an end")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "shape holds -1")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", 4, "more elements than fit 64 bits")]
    [InlineData("""{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}""", 4, "unknown dtype 'F33'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "dtype, shape and data_offsets are needed")]
    [InlineData("""{"a":7}""", 0, "dtype, shape and data_offsets are needed")]
    [InlineData("""{"__metadata__":{"x":1}}""", 0, "__metadata__ 'x' is not a string")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "not valid JSON")]
    [InlineData("""{"a":""", 0, "not valid JSON")]
    [InlineData("""[1]""", 0, "does not start with '{'")]
    public void Read_DamagedHeader_NamesFileAndFault(string json, int dataBytes, string fault)
    {
        var file = new byte[8 + Encoding.UTF8.GetByteCount(json) + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, Encoding.UTF8.GetByteCount(json));
        Encoding.UTF8.GetBytes(json, file.AsSpan(8));

        Reading(file).Should().Throw<SafetensorsFormatException>().WithMessage("weights.safetensors: *")
            .Which.Fault.Should().Contain(fault);
    }

    [Fact]
    public void Read_HeaderLengthBeyondFile_SaysBothLengths()
    {
        var file = new byte[20];
        BinaryPrimitives.WriteInt64LittleEndian(file, 1000);

        Reading(file).Should().Throw<SafetensorsFormatException>().WithMessage("*truncated*1000 bytes and only 12 follow*");
    }

    [Fact]
    public void Read_HugeHeaderLength_IsRefusedWithoutAllocating()
    {
        var file = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(file, 10_000_000_000);

        Reading(file).Should().Throw<SafetensorsFormatException>().WithMessage("*10000000000 bytes, where at most 100000000*");
    }

    [Fact]
    public void Read_FewerThanEightBytes_IsTruncated() =>
        Reading([1, 0, 0]).Should().Throw<SafetensorsFormatException>().WithMessage("*truncated: 3 bytes*");

    [Theory]
    [InlineData("504B030400000000", "PyTorch pickle")]
    [InlineData("80027D7100580100", "Python pickle")]
    [InlineData("8004950000000000", "Python pickle")]
    [InlineData("4747554603000000", "GGUF")]
    public void Read_OtherFormat_IsRefusedByName(string hex, string name) =>
        Reading(Convert.FromHexString(hex)).Should().Throw<SafetensorsFormatException>().WithMessage($"*not safetensors*{name}*");

    [Fact]
    public void Read_HeaderWhoseLengthLooksLikePickle_IsRead()
    {
        // A header of 0x280 = 640 bytes starts with the bytes 80 02, as a pickle of protocol 2 does.
        string json = OneFloat.PadRight(0x280);
        var file = new byte[8 + json.Length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        Encoding.UTF8.GetBytes(json, file.AsSpan(8));

        using var stream = new MemoryStream(file);
        SafetensorsHeader.Read(stream, file.Length, "weights.safetensors").Find("a")!.ByteLength.Should().Be(4);
    }

    private static Action Reading(byte[] file) => () =>
    {
        using var stream = new MemoryStream(file);
        SafetensorsHeader.Read(stream, file.Length, "weights.safetensors");
    };
}
