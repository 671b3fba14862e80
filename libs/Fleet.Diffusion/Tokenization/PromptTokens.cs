namespace Fleet.Diffusion.Tokenization;

/// <summary>A prompt as the text encoder reads it.</summary>
/// <param name="Chunks">At least one.</param>
/// <param name="Count">Tokens of the prompt's own, without start, end and padding.</param>
public sealed record PromptTokens(IReadOnlyList<TokenChunk> Chunks, int Count);

/// <summary>One context of the text encoder: start, up to 75 tokens, end, padding.</summary>
/// <param name="Ids">77 token ids.</param>
/// <param name="Weights">77 attention weights; 1 for start, end and padding.</param>
public sealed record TokenChunk(IReadOnlyList<int> Ids, IReadOnlyList<float> Weights);
