using Fleet.Diffusion.Sampling;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Sampling;

/// <summary>That the draws are torch's is shown by the golden case misc/rng.</summary>
public sealed class NoiseGeneratorTests
{
    [Theory]
    [InlineData(7)] // drawn one by one, half of a pair kept for the next draw
    [InlineData(256)]
    public void Restore_StateTakenBetweenDraws_GoesOnBitEqual(long count)
    {
        using var scope = NewDisposeScope();
        using var generator = new NoiseGenerator(42);
        generator.Draw(count);
        byte[] state = generator.State;
        float[] expected = Next(generator, count);

        using var restored = NoiseGenerator.Restore(state);

        Next(restored, count).Should().Equal(expected);
        restored.State.Should().Equal(generator.State);
    }

    [Fact]
    public void Draw_OtherGeneratorsInBetween_DoNotDisturbIt()
    {
        using var scope = NewDisposeScope();
        using var alone = new NoiseGenerator(1);
        using var mixed = new NoiseGenerator(1);
        using var other = new NoiseGenerator(2);
        float[] expected = [.. Next(alone, 64), .. Next(alone, 64)];

        float[] first = Next(mixed, 64);
        other.Draw(64);
        randn(64);

        first.Concat(Next(mixed, 64)).Should().Equal(expected);
    }

    [Fact]
    public void Draw_SeedsWithTheSameLower32Bits_AreOneSequence()
    {
        using var scope = NewDisposeScope();
        using var largest = new NoiseGenerator(long.MaxValue);
        using var lower = new NoiseGenerator(uint.MaxValue);

        Next(largest, 16).Should().Equal(Next(lower, 16));
    }

    private static float[] Next(NoiseGenerator generator, long count) => generator.Draw(count).data<float>().ToArray();
}
