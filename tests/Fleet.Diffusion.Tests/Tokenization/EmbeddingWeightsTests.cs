using Fleet.Diffusion.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Diffusion.Tests.Tokenization;

public sealed class EmbeddingWeightsTests
{
    [Fact]
    public void Apply_Weights_ScalesTokensAndRestoresEachChunksMean()
    {
        using var scope = NewDisposeScope();
        var embeddings = tensor(new float[] { 1, 3, 2, 2, /**/ 4, 4, 4, 4 }, [2, 2, 2]);
        var weights = tensor(new float[] { 3, 1, /**/ 1, 1 }, [2, 2]);

        var weighted = EmbeddingWeights.Apply(embeddings, weights);

        // First chunk: 3 9 2 2 has the mean 4, before it was 2.
        weighted.data<float>().ToArray().Should().Equal(1.5f, 4.5f, 1, 1, 4, 4, 4, 4);
    }

    [Fact]
    public void Apply_WeightsOf1_ChangesNoBit()
    {
        using var scope = NewDisposeScope();
        var embeddings = randn([3, 77, 32], generator: new Generator(1, CPU));

        var weighted = EmbeddingWeights.Apply(embeddings, ones([3, 77]));

        weighted.bytes.ToArray().Should().Equal(embeddings.bytes.ToArray());
    }

    [Fact]
    public void Apply_WeightsOf0_GivesZeros()
    {
        using var scope = NewDisposeScope();

        var weighted = EmbeddingWeights.Apply(ones([1, 2, 2]), zeros([1, 2]));

        weighted.data<float>().ToArray().Should().Equal(0, 0, 0, 0);
    }

    [Fact]
    public void Apply_Call_LeavesOneNewTensor()
    {
        using var scope = NewDisposeScope();
        var (embeddings, weights) = (ones([1, 2, 2]), ones([1, 2]));
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;

        EmbeddingWeights.Apply(embeddings, weights);

        DisposeScopeManager.Statistics.ThreadTotalLiveCount.Should().Be(before + 1);
    }
}
