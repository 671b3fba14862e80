using Fleet.Diffusion.Tokenization;
using Fleet.Testing;

namespace Fleet.Diffusion.Tests.Tokenization;

/// <summary>In the small vocabulary "a" and "," are one token each.</summary>
public sealed class PromptChunkTests
{
    private static readonly ClipTokenizer Tokenizer = Load("clip_small_sd1");
    private static readonly int A = Tokenizer.Encode("a").Single();
    private static readonly int Comma = Tokenizer.Encode(",").Single();

    [Fact]
    public void Tokenize_ShortPrompt_IsTheFrameOfItsIds()
    {
        var tokens = Tokenizer.Tokenize("a photo of a cat");

        tokens.Chunks.Should().ContainSingle().Which.Ids.Should().Equal(Tokenizer.Frame(Tokenizer.Encode("a photo of a cat")));
        tokens.Chunks[0].Weights.Should().HaveCount(77).And.AllBeEquivalentTo(1f);
        tokens.Count.Should().Be(Tokenizer.Encode("a photo of a cat").Count);
    }

    [Fact]
    public void Tokenize_EmptyPrompt_IsOneEmptyChunk()
    {
        var tokens = Tokenizer.Tokenize("");

        tokens.Count.Should().Be(0);
        tokens.Chunks.Should().ContainSingle().Which.Ids.Should().Equal(Tokenizer.Frame([]));
    }

    [Fact]
    public void Tokenize_WeightedWord_CarriesItsWeightAtItsPlace()
    {
        var chunk = Tokenizer.Tokenize("a (a:1.5) a").Chunks.Single();

        chunk.Ids.Take(5).Should().Equal(Tokenizer.BosId, A, A, A, Tokenizer.EosId);
        chunk.Weights.Take(5).Should().Equal(1, 1, 1.5f, 1, 1);
    }

    [Theory]
    [InlineData(75, 1)]
    [InlineData(76, 2)]
    [InlineData(150, 2)]
    [InlineData(151, 3)]
    public void Tokenize_LongPromptWithoutCommas_FillsChunksOf75(int count, int chunks)
    {
        var tokens = Tokenizer.Tokenize(Repeat("a ", count));

        tokens.Count.Should().Be(count);
        tokens.Chunks.Should().HaveCount(chunks);
        tokens.Chunks.Sum(chunk => chunk.Ids.Count(id => id == A)).Should().Be(count);
    }

    [Theory]
    [InlineData(60, 61)] // the comma is token 61 of 75, 15 from the end: the chunk ends there
    [InlineData(55, 56)] // at the limit of 20
    [InlineData(54, 75)] // too far back
    public void Tokenize_CommaAmongTheLast20_EndsTheChunk(int before, int firstChunk)
    {
        var tokens = Tokenizer.Tokenize($"{Repeat("a ", before)}, {Repeat("a ", 40)}");

        tokens.Chunks[0].Ids.ToList().IndexOf(Tokenizer.EosId).Should().Be(1 + firstChunk);
        tokens.Chunks.SelectMany(chunk => chunk.Ids).Count(id => id == A).Should().Be(before + 40);
    }

    [Fact]
    public void Tokenize_WeightsOfWordsThatMove_MoveWithThem()
    {
        var chunks = Tokenizer.Tokenize($"{Repeat("a ", 70)}, ({Repeat("a ", 10)}:2)").Chunks;

        chunks[0].Weights.Should().AllBeEquivalentTo(1f);
        chunks[1].Weights.Skip(1).Take(11).Should().Equal([.. Enumerable.Repeat(2f, 10), 1]);
    }

    [Fact]
    public void Tokenize_CommaBehindAFullChunk_BeginsTheNext()
    {
        var chunks = Tokenizer.Tokenize($"{Repeat("a ", 75)}, a").Chunks;

        chunks[1].Ids.Take(4).Should().Equal(Tokenizer.BosId, Comma, A, Tokenizer.EosId);
    }

    [Fact]
    public void Tokenize_Break_StartsANewChunk()
    {
        var chunks = Tokenizer.Tokenize("a BREAK a a").Chunks;

        chunks.Select(chunk => chunk.Ids.Count(id => id == A)).Should().Equal(1, 2);
    }

    [Fact]
    public void Tokenize_MinimumChunks_AddsEmptyOnes()
    {
        var bang = Load("clip_small_bang");

        var chunks = bang.Tokenize("a", minimumChunks: 3).Chunks;

        chunks.Should().HaveCount(3);
        chunks[2].Ids.Should().Equal([bang.BosId, bang.EosId, .. Enumerable.Repeat(0, 75)]);
    }

    private static ClipTokenizer Load(string folder) => ClipTokenizer.Load(Path.Combine(Repository.OwnGolden, "tokenizers", folder));

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
}
