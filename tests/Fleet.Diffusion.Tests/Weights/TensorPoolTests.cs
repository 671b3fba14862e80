using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Weights;
using Fleet.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Weights;

public sealed class TensorPoolTests : IDisposable
{
    private readonly TemporaryFolder store = new();
    private readonly TensorPool pool = new();

    public void Dispose() => store.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    public void Load_TwoVersionsThatDifferInOneTensor_HoldTheOthersOnce(ScalarType dtype)
    {
        using var changed = Changed("decoder.conv_in.weight");
        using var first = Load(CheckpointFiles.Golden("sd1"), dtype);
        long alone = pool.Bytes;
        using var second = Load(changed.Path, dtype);

        long difference = second.Vae.get_parameter("decoder.conv_in.weight")!.numel() * dtype.ElementSize();
        pool.Bytes.Should().Be(alone + difference);
        (second.Weights.AddedBytes, second.Weights.SharedBytes).Should().Be((difference, alone - difference));
        SameMemory(first.Vae, second.Vae, "encoder.conv_in.weight").Should().BeTrue();
        SameMemory(first.Vae, second.Vae, "decoder.conv_in.weight").Should().BeFalse();
    }

    [Fact]
    public void Dispose_OfOneOfTwoModels_LeavesTheOtherWhole()
    {
        using var changed = Changed("decoder.conv_in.weight");
        var first = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float16);
        using var second = Load(changed.Path, ScalarType.Float16);
        string before = WeightsOf(second.Vae);

        first.Dispose();

        WeightsOf(second.Vae).Should().Be(before);
        pool.Bytes.Should().Be(second.Weights.AddedBytes + second.Weights.SharedBytes);
    }

    [Fact]
    public void Dispose_OfTheLastModel_FreesEveryTensor()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mappings are looked up in /proc");
        var first = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float32);
        var second = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float32);

        first.Dispose();
        File.ReadAllText("/proc/self/maps").Should().Contain(store.Path);
        second.Dispose();

        File.ReadAllText("/proc/self/maps").Should().NotContain(store.Path);
        (pool.Count, pool.Bytes).Should().Be((0, 0L));
    }

    [Fact]
    public void Load_SameBytesInAnotherDTypeOrShape_AreToldApart()
    {
        using var checkpointHalf = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float16);
        long half = pool.Bytes;

        using var checkpointFull = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float32);

        pool.Bytes.Should().Be(3 * half);
        checkpointFull.Weights.SharedBytes.Should().Be(0);
    }

    [Fact]
    public void Forward_OfModelsThatShare_WritesToNoWeight()
    {
        using var model = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float32);
        string before = WeightsOf(model.Vae);

        using var picture = model.Vae.Decode(zeros(1, 4, 8, 8));

        WeightsOf(model.Vae).Should().Be(before);
    }

    [Fact]
    public void Load_BeyondTheBudget_SaysBothNumbersAndTakesNothing()
    {
        long needed;
        using (var probe = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float32))
        {
            needed = pool.Bytes;
        }

        var tight = new TensorPool(needed - 1);
        using var weights = tight.Borrow();
        using var checkpoint = Checkpoint.Open(PartFiles.Of(CheckpointFiles.Golden("sd1"), store), weights);

        var refusal = FluentActions.Invoking(() => AutoencoderKL.Load(checkpoint)).Should().Throw<WeightMemoryException>().WithMessage($"its weights take {needed} bytes more, and 0 of the budget of {needed - 1} bytes are taken").Which;

        refusal.Fits.Should().BeFalse("it would not fit an empty machine");
        (tight.Count, tight.Bytes).Should().Be((0, 0L));
    }

    [Fact]
    public void Load_WithinTheBudgetBecauseOfSharing_IsAllowed()
    {
        using var changed = Changed("decoder.conv_in.weight");
        using var first = Load(CheckpointFiles.Golden("sd1"), ScalarType.Float32);
        var parts = PartFiles.Of(CheckpointFiles.Golden("sd1"), store);
        var snug = new TensorPool(pool.Bytes * 11 / 10);

        using var one = new Loaded(parts, snug, ScalarType.Float32);
        using var two = new Loaded(PartFiles.Of(changed.Path, store), snug, ScalarType.Float32);

        two.Weights.SharedBytes.Should().BeGreaterThan(two.Weights.AddedBytes);
    }

    [Fact]
    public void Explaining_WhatLibtorchSaysWhenMemoryIsOut_IsRecognised()
    {
        var failure = FluentActions.Invoking(() => empty(1L << 58, ScalarType.Byte)).Should().Throw<Exception>().Which;

        WeightMemoryException.Explaining("unet", failure)!.Message.Should().StartWith("memory ran out while unet was loaded");
        WeightMemoryException.Explaining("unet", new InvalidOperationException("out of memory")).Should().BeNull();
    }

    private Loaded Load(string folder, ScalarType dtype) => new(PartFiles.Of(folder, store), pool, dtype);

    private static TemporaryFolder Changed(string tensor)
    {
        var folder = CheckpointFiles.Copy("sd1");
        CheckpointFiles.Rewrite(folder[CheckpointFiles.VaeWeights], (name, value) => (name, name == tensor ? value + 1 : value));
        return folder;
    }

    private static bool SameMemory(AutoencoderKL one, AutoencoderKL other, string parameter) => Unsafe.AreSame(
        ref MemoryMarshal.GetReference(one.get_parameter(parameter)!.bytes), ref MemoryMarshal.GetReference(other.get_parameter(parameter)!.bytes));

    private static string WeightsOf(nn.Module model) => string.Concat(model.parameters().Select(p => Convert.ToHexString(p.bytes)));

    private sealed class Loaded : IDisposable
    {
        public Loaded(ModelParts parts, TensorPool pool, ScalarType dtype)
        {
            Weights = pool.Borrow();
            using var checkpoint = Checkpoint.Open(parts, Weights);
            Vae = AutoencoderKL.Load(checkpoint, dtype: dtype);
        }

        public AutoencoderKL Vae { get; }

        public TensorLoan Weights { get; }

        public void Dispose()
        {
            Vae.Dispose();
            Weights.Dispose();
        }
    }
}
