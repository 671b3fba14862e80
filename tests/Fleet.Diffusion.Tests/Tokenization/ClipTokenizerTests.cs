using System.Diagnostics;
using Fleet.Diffusion.Tokenization;
using Fleet.Testing;

namespace Fleet.Diffusion.Tests.Tokenization;

public sealed class ClipTokenizerTests
{
    private static readonly ClipTokenizer Tokenizer = ClipTokenizer.Load(Path.Combine(Repository.OwnGolden, "tokenizers", "clip_small_sd1"));

    [Theory]
    [InlineData("a photo of a cat")]
    [InlineData("naïve façade, 日本 🙂")]
    public void Decode_OfEncodedText_GivesItsWordsBack(string text)
    {
        string decoded = Tokenizer.Decode(Tokenizer.Encode(text));

        decoded.Replace(" ", "").Should().Be(text.Replace(" ", ""));
    }

    [Fact]
    public void Encode_SpecialTokenInCapitals_IsRecognised() =>
        Tokenizer.Encode("a <|ENDOFTEXT|> b").Should().Equal([.. Tokenizer.Encode("a"), Tokenizer.EosId, .. Tokenizer.Encode("b")]);

    [Fact]
    public void Encode_LettersOutsideTheFirstPlane_AreOneWord()
    {
        var ids = Tokenizer.Encode("\U00010428\U00010429"); // Deseret small letters

        ids.Select(Tokenizer.Token).Count(token => token.EndsWith("</w>", StringComparison.Ordinal)).Should().Be(1);
    }

    [Theory]
    [InlineData("a ", 0xD83D, " b")]
    [InlineData("", 0xDE42, "")]
    [InlineData("🙂", 0xD83D, "🙂")]
    public void Encode_HalfASurrogatePair_IsRefusedWithItsPlace(string before, int half, string after)
    {
        var encode = () => Tokenizer.Encode(before + (char)half + after);

        encode.Should().Throw<PromptException>().WithMessage($"*U+{half:X4}, at index {before.Length};*");
    }

    [Theory]
    [InlineData("a")]
    [InlineData("!")]
    [InlineData("a cat, ")]
    [InlineData("\u0323\u0301")]
    public void Encode_100000Characters_TakesNoLongerThanItsLengthExplains(string unit)
    {
        string text = string.Concat(Enumerable.Repeat(unit, 100_000 / unit.Length));
        var watch = Stopwatch.StartNew();

        Tokenizer.Encode(text).Should().NotBeEmpty();

        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(10)); // 0.1 s; quadratic code takes minutes
    }

    [Fact]
    public void Encode_ByteThatTheVocabularyLacks_IsTheUnknownToken()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["vocab.json"], """{ "a": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3 }""");
        File.WriteAllText(folder["merges.txt"], "#version: 0.2\n");

        ClipTokenizer.Load(folder.Path).Encode("aza").Should().Equal(0, 3, 1);
    }

    [Theory]
    [InlineData("special_tokens_map.json", """{ "pad_token": "!" }""")]
    [InlineData("special_tokens_map.json", """{ "pad_token": { "content": "!" } }""")]
    [InlineData("tokenizer_config.json", """{ "pad_token": "!" }""")]
    public void Load_PadTokenInEitherFileAndForm_IsRead(string file, string json)
    {
        using var folder = Vocabulary("a b");
        File.WriteAllText(folder[file], json);

        ClipTokenizer.Load(folder.Path).PadId.Should().Be(0);
    }

    [Fact]
    public void Load_FilesThatDisagreeOnThePadToken_FollowsTheSpecialTokensMap()
    {
        using var folder = Vocabulary("a b");
        File.WriteAllText(folder["special_tokens_map.json"], """{ "pad_token": "!" }""");
        File.WriteAllText(folder["tokenizer_config.json"], """{ "pad_token": "<|endoftext|>" }""");

        ClipTokenizer.Load(folder.Path).PadId.Should().Be(0);
    }

    [Fact]
    public void Load_MergeIntoATokenThatTheVocabularyLacks_NamesTheMerge()
    {
        using var folder = Vocabulary("b a");
        var load = () => ClipTokenizer.Load(folder.Path);

        load.Should().Throw<InvalidDataException>().WithMessage("*merges.txt: 'b a' is not a merge*");
    }

    [Fact]
    public void Load_SpecialTokenThatTheVocabularyLacks_NamesTheToken()
    {
        using var folder = Vocabulary("a b");
        File.WriteAllText(folder["tokenizer_config.json"], """{ "bos_token": "<s>" }""");
        var load = () => ClipTokenizer.Load(folder.Path);

        load.Should().Throw<InvalidDataException>().WithMessage("*lacks the special token '<s>'*");
    }

    private static TemporaryFolder Vocabulary(string merge)
    {
        var folder = new TemporaryFolder();
        File.WriteAllText(folder["vocab.json"], """{ "!": 0, "a": 1, "b": 2, "ab": 3, "<|startoftext|>": 4, "<|endoftext|>": 5 }""");
        File.WriteAllText(folder["merges.txt"], $"#version: 0.2\n{merge}\n");
        return folder;
    }
}
