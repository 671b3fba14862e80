namespace Fleet.Diffusion.Tokenization;

// Byte pair encoding of one word: the pair of neighbours with the lowest rank merges first, of equal pairs the leftmost.
// A heap of candidate pairs keeps the time at n log n, so that one endless word costs no more than many short ones.
internal sealed class BytePairMerges(IReadOnlyDictionary<(int Left, int Right), (int Rank, int Merged)> merges)
{
    // Symbols are the ids of the word's bytes; what they merge into is appended to ids.
    public void Encode(ReadOnlySpan<int> symbols, List<int> ids)
    {
        var symbol = symbols.ToArray();
        var previous = new int[symbol.Length];
        var next = new int[symbol.Length];
        var candidates = new PriorityQueue<(int At, int Left, int Right), (int Rank, int At)>();
        for (var i = 0; i < symbol.Length; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1);
        }

        void Consider(int left)
        {
            var right = left < 0 ? symbol.Length : next[left];
            if (right < symbol.Length && merges.TryGetValue((symbol[left], symbol[right]), out var merge))
            {
                candidates.Enqueue((left, symbol[left], symbol[right]), (merge.Rank, left));
            }
        }

        for (var i = 0; i < symbol.Length; i++)
        {
            Consider(i);
        }

        const int Gone = -1;
        while (candidates.TryDequeue(out var pair, out _))
        {
            var right = next[pair.At];
            if (symbol[pair.At] != pair.Left || right >= symbol.Length || symbol[right] != pair.Right)
            {
                continue; // one of the two has merged with another neighbour since
            }

            symbol[pair.At] = merges[(pair.Left, pair.Right)].Merged;
            symbol[right] = Gone;
            next[pair.At] = next[right];
            if (next[right] < symbol.Length)
            {
                previous[next[right]] = pair.At;
            }

            Consider(previous[pair.At]);
            Consider(pair.At);
        }

        foreach (var id in symbol)
        {
            if (id != Gone)
            {
                ids.Add(id);
            }
        }
    }
}
