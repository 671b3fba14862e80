using Fleet.Contracts.Encoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Gateway.Planning;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>The encoder's part of a job. Tensors stay as they came: the gateway hands them on and does not look into them.</summary>
internal sealed record TextEncoding(IReadOnlyList<TensorChunk> Tensors, EncodeDone Done)
{
    public static async Task<TextEncoding> RunAsync(Encoder.EncoderClient encoder, string requestId, GenerationPlan plan, CallOptions options)
    {
        var request = new EncodeRequest
        {
            RequestId = requestId,
            Version = plan.Version,
            Prompt = plan.Recipe.Prompt,
            NegativePrompt = plan.Recipe.NegativePrompt,
            ClipSkip = plan.Recipe.ClipSkip,
            WithoutNegative = plan.Recipe.GuidanceScale <= 1,
        };

        using var call = encoder.Encode(request, options);
        var tensors = new List<TensorChunk>();
        EncodeDone? done = null;
        await foreach (var response in call.ResponseStream.ReadAllAsync(options.CancellationToken))
        {
            switch (response.EventCase)
            {
                case EncodeResponse.EventOneofCase.Accepted:
                    VersionPin.Check(response.Accepted.Version, plan);
                    break;
                case EncodeResponse.EventOneofCase.Tensor:
                    tensors.Add(response.Tensor);
                    break;
                case EncodeResponse.EventOneofCase.Done:
                    done = response.Done;
                    break;
            }
        }

        return done is null ? throw StageStream.EndedEarly() : new TextEncoding(tensors, done);
    }
}
