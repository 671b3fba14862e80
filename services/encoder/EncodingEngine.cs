using System.Diagnostics;
using Fleet.Contracts;
using Fleet.Diffusion;
using Fleet.Diffusion.Tokenization;
using Fleet.Hosting;
using Fleet.Serving;
using TorchSharp;
using static TorchSharp.torch;

namespace Fleet.Encoder;

/// <summary>Embeddings as they go on the wire: (1, tokens, width), float32, little-endian.</summary>
internal sealed record Embeddings(long[] Shape, byte[] Data);

/// <summary>What came of a job.</summary>
internal sealed record EncodedJob(Embeddings Prompt, Embeddings? Negative, TimeSpan ComputeTime);

/// <summary>Runs text encoders on the device.</summary>
internal sealed class EncodingEngine(DeviceQueue queue, ComputeDevice device)
{
    /// <summary>The embeddings of a job's prompts.</summary>
    /// <exception cref="OverloadedException">The device's queue is full.</exception>
    /// <exception cref="PreconditionException">The weights give embeddings that are not finite.</exception>
    public Task<EncodedJob> EncodeAsync(TokenizedJob job, EncoderModel model, CancellationToken cancellation) => queue.RunAsync(
        () =>
        {
            long start = Stopwatch.GetTimestamp();
            var prompt = Encode(job.Prompt, job.ClipSkip, model);
            var negative = job.Negative is null ? null : Encode(job.Negative, clipSkip: 0, model); // all layers, as in the reference
            return new EncodedJob(prompt, negative, Stopwatch.GetElapsedTime(start));
        },
        cancellation);

    private Embeddings Encode(PromptTokens tokens, int clipSkip, EncoderModel model)
    {
        using var inference = no_grad();
        using var scope = NewDisposeScope();

        // Chunk by chunk: a kernel may round differently for another batch size, and a chunk's embeddings shall not depend on
        // what is encoded with it.
        var chunks = tokens.Chunks.Select(chunk => Encode(chunk, clipSkip, model)).ToArray();
        var embeddings = cat(chunks, dim: 1).to(float32).cpu().contiguous();  // (1, 77 chunks, w)
        if (!embeddings.isfinite().all().item<bool>())
        {
            throw new FaultyVersionException(
                $"The text encoder of {model.Version} gives embeddings that are NaN or infinite; its weights are damaged, or too large for {device.DType}.", Wire.NotFinite);
        }

        return new Embeddings(embeddings.shape, embeddings.bytes.ToArray());
    }

    private Tensor Encode(TokenChunk chunk, int clipSkip, EncoderModel model)
    {
        var ids = tensor(chunk.Ids.Select(id => (long)id).ToArray(), dtype: int64).unsqueeze(0).to(device.Device);  // (1, 77)
        var embeddings = model.TextModel.Encode(ids, clipSkip).to(float32);  // (1, 77, w)
        return EmbeddingWeights.Apply(embeddings, tensor(chunk.Weights.ToArray()).unsqueeze(0));
    }
}
