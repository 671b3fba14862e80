using System.Text;
using Fleet.Contracts;
using Fleet.Contracts.Encoder.V1;
using Fleet.Contracts.Tensor.V1;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Peers;

// Embeddings that are the prompt's bytes, so that a test can see which prompt reached the denoiser.
internal sealed class EncoderPeer : Fleet.Contracts.Encoder.V1.Encoder.EncoderBase
{
    public List<EncodeRequest> Requests { get; } = [];

    // Called with the number of the call, from 1, before anything is answered.
    public Func<int, ServerCallContext, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    public override async Task Encode(EncodeRequest request, IServerStreamWriter<EncodeResponse> responses, ServerCallContext context)
    {
        Requests.Add(request);
        await Before(Requests.Count, context);
        await responses.WriteAsync(new EncodeResponse { Accepted = new EncodeAccepted { Version = request.Version } });
        await SendAsync("embeddings", request.Prompt, responses);
        if (!request.WithoutNegative)
        {
            await SendAsync("negative_embeddings", request.NegativePrompt, responses);
        }

        await responses.WriteAsync(new EncodeResponse { Done = new EncodeDone { PromptTokens = 5, NegativePromptTokens = 2, Chunks = 1, ComputeUs = 70 } });
    }

    private static async Task SendAsync(string name, string text, IServerStreamWriter<EncodeResponse> responses)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text.PadRight(text.Length + 4 - Encoding.UTF8.GetByteCount(text) % 4));
        foreach (var chunk in TensorCodec.Split(name, DType.Float32, [1, 1, bytes.Length / 4], bytes))
        {
            await responses.WriteAsync(new EncodeResponse { Tensor = chunk });
        }
    }
}
