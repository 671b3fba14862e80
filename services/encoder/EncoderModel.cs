using System.Text.Json;
using Fleet.Diffusion;
using Fleet.Diffusion.Models;
using Fleet.Diffusion.Tokenization;
using Fleet.Diffusion.Weights;
using Fleet.Hosting;
using Fleet.Serving;

namespace Fleet.Encoder;

/// <summary>The part of a version that the encoder needs: its tokenizer and its text encoder.</summary>
internal sealed class EncoderModel : IStageModel<EncoderModel>
{
    private readonly ClipTokenizer tokenizer;

    private EncoderModel(string version, ClipTokenizer tokenizer, ClipTextModel textModel)
    {
        Version = version;
        this.tokenizer = tokenizer;
        TextModel = textModel;
    }

    public string Version { get; }

    public ClipTextModel TextModel { get; }

    /// <summary>Which files of a version are needed: what lies at the top (a single-file checkpoint, the index), the tokenizer, the text encoder.</summary>
    public static bool Wants(string path) =>
        !path.Contains('/') || path.StartsWith("text_encoder/", StringComparison.Ordinal) || path.StartsWith("tokenizer/", StringComparison.Ordinal);

    /// <summary>Loads from a checkpoint.</summary>
    /// <exception cref="CheckpointException">The tokenizer or the weights are missing, damaged or do not fit each other.</exception>
    public static EncoderModel Load(Checkpoint checkpoint, string version, ComputeDevice device)
    {
        var tokenizer = ReadTokenizer(checkpoint);
        var textModel = ClipTextModel.Load(checkpoint, device: device.Device, dtype: device.DType);
        if (tokenizer.VocabularySize > textModel.Config.VocabSize)
        {
            textModel.Dispose();
            throw new CheckpointException(
                $"the tokenizer has {tokenizer.VocabularySize} tokens and the text encoder embeddings for {textModel.Config.VocabSize}");
        }

        return new EncoderModel(version, tokenizer, textModel);
    }

    public EncoderModel For(string version) => new(version, tokenizer, TextModel);

    /// <summary>A job's prompts as token ids, both of as many chunks as the longer one takes.</summary>
    /// <exception cref="InvalidRequestException">A prompt is too long or its weights cannot be read; or clip skip leaves no layer.</exception>
    public TokenizedJob Tokenize(EncodeJob job, int maxChunks)
    {
        RequestRules.Within("clip_skip", job.ClipSkip, 0, TextModel.Config.NumHiddenLayers - 1);
        var prompt = Tokenize("prompt", job.Prompt, 1, maxChunks);
        if (job.NegativePrompt is null)
        {
            return new TokenizedJob(prompt, null, job.ClipSkip);
        }

        var negative = Tokenize("negative_prompt", job.NegativePrompt, prompt.Chunks.Count, maxChunks);
        return negative.Chunks.Count == prompt.Chunks.Count
            ? new TokenizedJob(prompt, negative, job.ClipSkip)
            : new TokenizedJob(tokenizer.Tokenize(job.Prompt, negative.Chunks.Count), negative, job.ClipSkip);
    }

    /// <inheritdoc/>
    public void Dispose() => TextModel.Dispose();

    private static ClipTokenizer ReadTokenizer(Checkpoint checkpoint)
    {
        try
        {
            return ClipTokenizer.Load(checkpoint.Files, "tokenizer/");
        }
        catch (Exception e) when (e is InvalidDataException or FileNotFoundException or JsonException)
        {
            throw new CheckpointException(e.Message, e);
        }
    }

    private PromptTokens Tokenize(string field, string text, int minimumChunks, int maxChunks)
    {
        try
        {
            var tokens = tokenizer.Tokenize(text, minimumChunks);
            return tokens.Chunks.Count <= maxChunks
                ? tokens
                : throw new InvalidRequestException(
                    field, text, $"it takes {tokens.Chunks.Count} chunks of {ClipTokenizer.ChunkLength} tokens; shorten it to at most {maxChunks}");
        }
        catch (PromptException e)
        {
            throw new InvalidRequestException(field, text, e.Message.TrimEnd('.'));
        }
    }
}

/// <summary>What the text encoder computes for a job. Both prompts have the same number of chunks.</summary>
internal sealed record TokenizedJob(PromptTokens Prompt, PromptTokens? Negative, int ClipSkip);
