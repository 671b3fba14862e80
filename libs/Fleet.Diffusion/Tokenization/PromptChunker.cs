namespace Fleet.Diffusion.Tokenization;

// Lays a prompt's tokens out in chunks of 75. A chunk that is full while a phrase is being written ends at its last comma when
// that is among its last 20 tokens, and the words since move to the next chunk (the web UI's rule, at its default setting): a
// phrase that is cut in two is read as two.
internal sealed class PromptChunker(ClipTokenizer tokenizer)
{
    private const int LongestMove = 20;

    private readonly List<TokenChunk> chunks = [];
    private readonly List<int> ids = [];
    private readonly List<float> weights = [];
    private int lastComma = -1;
    private int count;

    public void Add(IReadOnlyList<int> tokens, double weight)
    {
        foreach (var token in tokens)
        {
            if (token != tokenizer.CommaId && ids.Count == ClipTokenizer.ChunkLength && lastComma >= ids.Count - LongestMove)
            {
                EndAt(lastComma + 1);
            }

            if (ids.Count == ClipTokenizer.ChunkLength)
            {
                EndAt(ids.Count);
            }

            if (token == tokenizer.CommaId)
            {
                lastComma = ids.Count;
            }

            ids.Add(token);
            weights.Add((float)weight);
        }

        count += tokens.Count;
    }

    public void Break() => EndAt(ids.Count);

    public PromptTokens Finish(int minimumChunks)
    {
        if (ids.Count > 0)
        {
            EndAt(ids.Count);
        }

        while (chunks.Count < Math.Max(minimumChunks, 1))
        {
            EndAt(0);
        }

        return new PromptTokens(chunks, count);
    }

    // Ends the chunk after its first length tokens; the others begin the next one.
    private void EndAt(int length)
    {
        var chunkWeights = new float[ClipTokenizer.ContextLength];
        Array.Fill(chunkWeights, 1);
        weights.CopyTo(0, chunkWeights, 1, length);
        chunks.Add(new TokenChunk(tokenizer.Frame(ids.GetRange(0, length)), chunkWeights));
        ids.RemoveRange(0, length);
        weights.RemoveRange(0, length);
        lastComma = -1;
    }
}
