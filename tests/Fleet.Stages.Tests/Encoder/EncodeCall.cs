using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Encoder.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fleet.Stages.Tests.Encoder;

/// <summary>A call of Encode, and what came of it.</summary>
internal sealed record EncodeCall(IReadOnlyList<EncodeResponse> Responses)
{
    public EncodeDone Done => Responses[^1].Done;

    public static async Task<EncodeCall> RunAsync(GrpcChannel channel, EncodeRequest request, DateTime? deadline = null)
    {
        using var call = new Contracts.Encoder.V1.Encoder.EncoderClient(channel).Encode(request, deadline: deadline, cancellationToken: TestContext.Current.CancellationToken);
        return new EncodeCall(await call.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync());
    }

    public TensorBytes Tensor(string name)
    {
        var assembler = new TensorAssembler(1 << 24);
        return Responses.Where(r => r.Tensor is not null).Select(r => assembler.Add(r.Tensor)).Single(tensor => tensor?.Name == name)!;
    }

    public float[] Values(string name) => MemoryMarshal.Cast<byte, float>(Tensor(name).Data).ToArray();
}
