using System.Runtime.InteropServices;
using Fleet.Client.Diff;
using Fleet.Client.Registry;
using Fleet.Safetensors;
using Fleet.Testing;

namespace Fleet.Registry.Tests.Client;

public sealed class DiffTests : RegistryTest
{
    private const string ConvIn = "conv_in.weight";

    [Fact]
    public async Task Compare_OfAVersionWithItself_FindsNothing()
    {
        var version = await RegistryContent.ReadAsync(Client, (await PushAsync(Golden("models", "sd1"))).Version.Digest, Cancellation);

        var difference = await CompareAsync(version, await LocalContent.ReadAsync(Golden("models", "sd1"), cancellationToken: Cancellation));

        difference.IsNone.Should().BeTrue();
        difference.EqualTensors.Should().BePositive();
        difference.BytesOnlyInB.Should().Be(0);
    }

    [Fact]
    public async Task Compare_OfAFineTune_SortsChangedTensorsByRelativeNorm()
    {
        var tuned = new ModelFolder(Folder["tuned"])
            .ChangeNumbers(ModelFolder.Unet, name => name == "conv_in.bias", x => x * 1.25f)
            .ChangeNumbers(ModelFolder.Unet, name => name == ConvIn, x => x * 1.5f)
            .Set("scheduler/scheduler_config.json", "beta_end", 0.02);
        var before = await PushAsync(Golden("models", "sd1"));
        var after = await PushAsync(tuned.FullPath);

        var difference = await CompareAsync(
            await RegistryContent.ReadAsync(Client, before.Version.Digest, Cancellation),
            await RegistryContent.ReadAsync(Client, after.Version.Digest, Cancellation));

        difference.Tensors.Select(t => (t.Change, t.Component, t.Name)).Should().Equal(
            (Change.Changed, "unet", ConvIn), (Change.Changed, "unet", "conv_in.bias"));
        difference.Tensors.Select(t => t.Norms!.Relative!.Value).Should().SatisfyRespectively(
            first => first.Should().BeApproximately(0.5, 1e-6), second => second.Should().BeApproximately(0.25, 1e-6));
        difference.Files.Should().ContainSingle().Which.Path.Should().Be("scheduler/scheduler_config.json");
        difference.BytesOnlyInB.Should().Be(after.UploadedBytes);
    }

    [Fact]
    public async Task Compare_WithATensorOfNotANumber_NamesItFirstAndCountsItsElements()
    {
        var broken = new ModelFolder(Folder["broken"])
            .ChangeNumbers(ModelFolder.Unet, name => name == ConvIn, x => x * 3)
            .ChangeNumbers(ModelFolder.Vae, name => name == "decoder.conv_in.bias", _ => float.NaN);

        var difference = await CompareAsync(
            await LocalContent.ReadAsync(Golden("models", "sd1"), cancellationToken: Cancellation),
            await LocalContent.ReadAsync(broken.FullPath, cancellationToken: Cancellation));

        difference.Tensors[0].Name.Should().Be("decoder.conv_in.bias");
        difference.Tensors[0].Norms!.NotFinite.Should().Be(difference.Tensors[0].B!.Shape[0]);
        difference.Tensors[1].Norms!.NotFinite.Should().Be(0);
    }

    [Fact]
    public async Task Compare_OfOtherTypesAndShapes_TellsFormsAndMeasuresWhatHasTheSameShape()
    {
        Write("a", ("same", SafetensorsDType.F64, [2], Bytes(3.0, 4.0)), ("reshaped", SafetensorsDType.F32, [4], new byte[16]), ("gone", SafetensorsDType.U8, [1], [1]));
        Write("b", ("same", SafetensorsDType.F16, [2], Bytes((Half)3, (Half)5)), ("reshaped", SafetensorsDType.F32, [2, 2], new byte[16]),
            ("new", SafetensorsDType.BF16, [1], [0x80, 0x3f]));

        var difference = await CompareAsync(
            await LocalContent.ReadAsync(Folder["a"], cancellationToken: Cancellation),
            await LocalContent.ReadAsync(Folder["b"], cancellationToken: Cancellation));

        difference.Tensors.Select(t => (t.Change, t.Name, t.A?.ToString(), t.B?.ToString(), t.Norms)).Should().Equal(
            (Change.Changed, "reshaped", "F32 [4]", "F32 [2, 2]", null),
            (Change.Changed, "same", "F64 [2]", "F16 [2]", new TensorNorms(5, 1, 0)),
            (Change.Added, "new", null, "BF16 [1]", null),
            (Change.Removed, "gone", "U8 [1]", null, null));
    }

    [Theory]
    [InlineData(SafetensorsDType.F32)]
    [InlineData(SafetensorsDType.F16)]
    [InlineData(SafetensorsDType.BF16)]
    [InlineData(SafetensorsDType.F64)]
    public async Task Compare_OfATensorLongerThanOneRead_CountsEveryElement(SafetensorsDType dtype)
    {
        const int Elements = 40_000; // more than are read at a time
        Write("a", ("x", dtype, [Elements], Repeat(One(dtype), Elements)));
        Write("b", ("x", dtype, [Elements], [.. Repeat(One(dtype), Elements - 1), .. new byte[dtype.ByteSize()]]));

        var difference = await CompareAsync(
            await LocalContent.ReadAsync(Folder["a"], cancellationToken: Cancellation),
            await LocalContent.ReadAsync(Folder["b"], cancellationToken: Cancellation));

        difference.Tensors.Should().ContainSingle().Which.Norms.Should().Be(new TensorNorms(200, 1, 0));
    }

    private static Task<ModelDifference> CompareAsync(IModelContent a, IModelContent b) =>
        ModelComparison.CompareAsync(a, b, cancellationToken: Cancellation);

    private static byte[] Bytes<T>(params T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes<T>(values).ToArray();

    private static byte[] One(SafetensorsDType dtype) => dtype switch
    {
        SafetensorsDType.F32 => Bytes(1f),
        SafetensorsDType.F16 => Bytes((Half)1),
        SafetensorsDType.BF16 => [0x80, 0x3f],
        _ => Bytes(1.0),
    };

    private static byte[] Repeat(byte[] value, int count) => [.. Enumerable.Repeat(value, count).SelectMany(bytes => bytes)];

    private void Write(string model, params (string Name, SafetensorsDType DType, long[] Shape, byte[] Data)[] tensors)
    {
        Directory.CreateDirectory(Folder[model, "unet"]);
        File.WriteAllText(Folder[model, "model_index.json"], """{"unet": ["diffusers", "UNet2DConditionModel"]}""");
        using var writer = new SafetensorsWriter(
            Folder[model, "unet", "x.safetensors"], [.. tensors.Select(t => new SafetensorsDeclaration(t.Name, t.DType, t.Shape))]);
        foreach (var tensor in tensors)
        {
            writer.Write(tensor.Name, tensor.Data);
        }

        writer.Complete();
    }
}
