using Fleet.Diffusion.Weights;
using Fleet.Safetensors;
using Fleet.Testing;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class SafetensorsFileTests
{
    [Fact]
    public void Read_EachDType_GivesValuesOfTheFile()
    {
        using var folder = new TemporaryFolder();
        string path = folder["m.safetensors"];
        Write(path, ("f", SafetensorsDType.F32, [2], [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]), ("h", SafetensorsDType.F16, [1], [0, 0x3c]), ("i", SafetensorsDType.I64, [], [7, 0, 0, 0, 0, 0, 0, 0]));

        using var file = SafetensorsFile.Open(path);

        file.Read("f").data<float>().ToArray().Should().Equal(1f, -2f);
        file.Read("h").to(ScalarType.Float32).item<float>().Should().Be(1f);
        file.Read("i").item<long>().Should().Be(7); // at offset 10 of the data: not aligned, so copied
        file.Read("i").shape.Should().BeEmpty();
    }

    [Fact]
    public void Read_TensorOutlivesTheFileObject_AndWritingToItLeavesTheFileAlone()
    {
        using var folder = new TemporaryFolder();
        string path = folder["m.safetensors"];
        Write(path, ("f", SafetensorsDType.F32, [1], [0, 0, 0x80, 0x3f]));
        byte[] before = File.ReadAllBytes(path);
        Tensor tensor;
        using (var file = SafetensorsFile.Open(path))
        {
            tensor = file.Read("f");
        }

        tensor.fill_(5);

        tensor.item<float>().Should().Be(5f);
        File.ReadAllBytes(path).Should().Equal(before);
    }

    [Fact]
    public void Read_UnknownName_NamesFileAndTensor()
    {
        using var folder = new TemporaryFolder();
        string path = folder["m.safetensors"];
        Write(path, ("f", SafetensorsDType.F32, [1], new byte[4]));
        using var file = SafetensorsFile.Open(path);

        FluentActions.Invoking(() => file.Read("g")).Should().Throw<KeyNotFoundException>().WithMessage("*m.safetensors has no tensor 'g'*");
    }

    private static void Write(string path, params (string Name, SafetensorsDType DType, long[] Shape, byte[] Data)[] tensors)
    {
        using var writer = new SafetensorsWriter(path, [.. tensors.Select(t => new SafetensorsDeclaration(t.Name, t.DType, t.Shape))]);
        foreach (var (name, _, _, data) in tensors)
        {
            writer.Write(name, data);
        }

        writer.Complete();
    }
}
