using Fleet.Contracts;
using Fleet.Contracts.Encoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Serving;
using Grpc.Core;
using Microsoft.Extensions.Options;
using V1 = Fleet.Contracts.Encoder.V1;

namespace Fleet.Encoder;

/// <summary>The encoder on the wire.</summary>
internal sealed class EncoderService(EncodingEngine engine, ResidentModels<EncoderModel> models, IOptions<EncoderOptions> options) : V1.Encoder.EncoderBase
{
    public override async Task Encode(EncodeRequest request, IServerStreamWriter<EncodeResponse> responses, ServerCallContext context)
    {
        var job = EncodeJob.Parse(request);
        using var model = await models.AcquireAsync(job.Version, context.CancellationToken);
        var tokens = model.Model.Tokenize(job, options.Value.MaxChunks);
        var encoded = await engine.EncodeAsync(tokens, model.Model, context.CancellationToken);

        await responses.WriteAsync(new EncodeResponse { Accepted = new EncodeAccepted { Version = job.Version } }, context.CancellationToken);
        await SendAsync("embeddings", encoded.Prompt);
        if (encoded.Negative is not null)
        {
            await SendAsync("negative_embeddings", encoded.Negative);
        }

        var done = new EncodeDone
        {
            PromptTokens = tokens.Prompt.Count,
            NegativePromptTokens = tokens.Negative?.Count ?? 0,
            Chunks = tokens.Prompt.Chunks.Count,
            ComputeUs = (long)encoded.ComputeTime.TotalMicroseconds,
            Cold = model.Cold,
        };
        await responses.WriteAsync(new EncodeResponse { Done = done }, context.CancellationToken);

        async Task SendAsync(string name, Embeddings embeddings)
        {
            foreach (var chunk in TensorCodec.Split(name, DType.Float32, embeddings.Shape, embeddings.Data))
            {
                await responses.WriteAsync(new EncodeResponse { Tensor = chunk }, context.CancellationToken);
            }
        }
    }
}
