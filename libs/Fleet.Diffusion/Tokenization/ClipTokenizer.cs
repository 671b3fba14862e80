using System.Text;
using System.Text.Json;
using Fleet.Diffusion.Weights;

namespace Fleet.Diffusion.Tokenization;

/// <summary>The byte-level BPE tokenizer of CLIP (arXiv:2103.00020, 2.4), read from vocab.json and merges.txt.</summary>
public sealed class ClipTokenizer
{
    /// <summary>Tokens in one context of the text encoder, start and end included.</summary>
    public const int ContextLength = 77;

    /// <summary>Tokens of the prompt's own that one context holds.</summary>
    public const int ChunkLength = ContextLength - 2;

    private const string EndOfWord = "</w>";

    private readonly string[] tokens;
    private readonly BytePairMerges merges;
    private readonly int[] byteIds = new int[256];
    private readonly int[] finalByteIds = new int[256];
    private readonly List<(string Text, int Id)> specialTokens = [];

    private ClipTokenizer(Dictionary<string, int> vocabulary, BytePairMerges merges, SpecialTokens special)
    {
        this.merges = merges;
        tokens = new string[vocabulary.Values.Max() + 1];
        foreach (var (token, id) in vocabulary)
        {
            tokens[id] = token;
        }

        (BosId, EosId, PadId) = (vocabulary[special.Bos], vocabulary[special.Eos], vocabulary[special.Pad]);
        CommaId = vocabulary.GetValueOrDefault("," + EndOfWord, -1);
        var unknown = vocabulary[special.Unknown];
        for (var value = 0; value < 256; value++)
        {
            byteIds[value] = vocabulary.GetValueOrDefault($"{ByteAlphabet.CharacterOf(value)}", unknown);
            finalByteIds[value] = vocabulary.GetValueOrDefault(ByteAlphabet.CharacterOf(value) + EndOfWord, unknown);
        }

        // Longest first: of two that start at one place, the longer is meant.
        foreach (var token in special.All.OrderByDescending(token => token.Length))
        {
            specialTokens.Add((ClipText.Normalize(token), vocabulary[token]));
        }
    }

    /// <summary>Ids are below it; the text encoder must have an embedding for each.</summary>
    public int VocabularySize => tokens.Length;

    /// <summary>Id of the start token.</summary>
    public int BosId { get; }

    /// <summary>Id of the end token.</summary>
    public int EosId { get; }

    /// <summary>Id that fills a context up: the end token's (SD 1.x) or that of "!" (SD 2.x).</summary>
    public int PadId { get; }

    // Where chunks of a long prompt are cut.
    internal int CommaId { get; }

    /// <summary>Reads the tokenizer of a folder in diffusers' layout. Throws <see cref="InvalidDataException"/> for files that do not fit each other.</summary>
    public static ClipTokenizer Load(string folder) => Load(new ModelFolder(folder), "");

    /// <summary>Reads the tokenizer among a model's files. Throws <see cref="InvalidDataException"/> for files that do not fit each other.</summary>
    /// <param name="files">The files.</param>
    /// <param name="prefix">What the paths of the tokenizer's files begin with, for example "tokenizer/".</param>
    public static ClipTokenizer Load(IModelFiles files, string prefix)
    {
        var vocabularyPath = files.Describe($"{prefix}vocab.json");
        var vocabulary = JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllBytes(files.Locate($"{prefix}vocab.json")));
        if (vocabulary is not { Count: > 0 } || vocabulary.Values.Min() < 0 || vocabulary.Values.Max() >= 2 * vocabulary.Count)
        {
            throw new InvalidDataException($"{vocabularyPath} is not a vocabulary: a JSON object of tokens and their ids, counted from 0.");
        }

        var special = SpecialTokens.Read(files, prefix);
        foreach (var token in special.All.Where(token => !vocabulary.ContainsKey(token)))
        {
            throw new InvalidDataException($"{vocabularyPath} lacks the special token '{token}', which the tokenizer's configuration names.");
        }

        return new ClipTokenizer(vocabulary, ReadMerges(files, $"{prefix}merges.txt", vocabulary), special);
    }

    /// <summary>Ids of a text, without start and end. Special tokens in the text are recognised. Throws <see cref="PromptException"/> for half a surrogate pair.</summary>
    public IReadOnlyList<int> Encode(string text)
    {
        var normal = ClipText.Normalize(text);
        var ids = new List<int>(normal.Length / 3 + 1);
        var start = 0;
        for (var i = 0; i < normal.Length; i++)
        {
            if (SpecialTokenAt(normal, i) is { } special)
            {
                EncodeWords(normal.AsSpan(start, i - start), ids);
                ids.Add(special.Id);
                start = i + special.Text.Length;
                i = start - 1;
            }
        }

        EncodeWords(normal.AsSpan(start), ids);
        return ids;
    }

    /// <summary>The text of ids; bytes that are not UTF-8 become U+FFFD. Case and spacing are those of the normalised text.</summary>
    public string Decode(IEnumerable<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var character in string.Concat(ids.Select(Token)))
        {
            if (ByteAlphabet.TryGetByte(character, out var value))
            {
                bytes.Add(value);
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes([character]));
            }
        }

        return Encoding.UTF8.GetString([.. bytes]).Replace(EndOfWord, " ", StringComparison.Ordinal).Trim();
    }

    /// <summary>The token of an id as vocab.json writes it.</summary>
    public string Token(int id) => id >= 0 && id < tokens.Length && tokens[id] is { } token
        ? token
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has ids 0 to {tokens.Length - 1}.");

    /// <summary>One context: start, the first 75 of the ids, end, and padding up to 77.</summary>
    public int[] Frame(IReadOnlyList<int> ids)
    {
        var context = new int[ContextLength];
        var count = Math.Min(ids.Count, ChunkLength);
        Array.Fill(context, PadId);
        context[0] = BosId;
        for (var i = 0; i < count; i++)
        {
            context[i + 1] = ids[i];
        }

        context[count + 1] = EosId;
        return context;
    }

    /// <summary>A prompt with attention weights and BREAK (<see cref="PromptSyntax"/>) in chunks of 75 tokens, filled up with empty chunks to at least <paramref name="minimumChunks"/>. Throws <see cref="PromptException"/>.</summary>
    public PromptTokens Tokenize(string prompt, int minimumChunks = 1)
    {
        var chunker = new PromptChunker(this);
        foreach (var part in PromptSyntax.Parse(prompt))
        {
            if (part.IsBreak)
            {
                chunker.Break();
            }
            else
            {
                chunker.Add(Encode(part.Text), part.Weight);
            }
        }

        return chunker.Finish(minimumChunks);
    }

    private (string Text, int Id)? SpecialTokenAt(string text, int index)
    {
        foreach (var special in specialTokens)
        {
            if (text[index] == special.Text[0] && string.CompareOrdinal(text, index, special.Text, 0, special.Text.Length) == 0)
            {
                return special;
            }
        }

        return null;
    }

    private void EncodeWords(ReadOnlySpan<char> text, List<int> ids)
    {
        while (!text.IsEmpty)
        {
            var length = ClipText.WordLength(text);
            if (length > 0)
            {
                EncodeWord(text[..length], ids);
            }

            text = text[Math.Max(length, 1)..];
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, bytes);
        var symbols = new int[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            symbols[i] = i < bytes.Length - 1 ? byteIds[bytes[i]] : finalByteIds[bytes[i]];
        }

        merges.Encode(symbols, ids);
    }

    private static BytePairMerges ReadMerges(IModelFiles files, string path, Dictionary<string, int> vocabulary)
    {
        var merges = new Dictionary<(int, int), (int, int)>();
        foreach (var line in File.ReadLines(files.Locate(path)).Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)))
        {
            if (line.Split(' ') is not [var left, var right]
                || !vocabulary.TryGetValue(left, out var leftId)
                || !vocabulary.TryGetValue(right, out var rightId)
                || !vocabulary.TryGetValue(left + right, out var mergedId))
            {
                throw new InvalidDataException($"{files.Describe(path)}: '{line}' is not a merge of two tokens of the vocabulary into a third.");
            }

            merges.TryAdd((leftId, rightId), (merges.Count, mergedId));
        }

        return new BytePairMerges(merges);
    }
}
