using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Client;

// One try of a generation: sends the request while it reads the answers.
internal sealed class GenerationCall : IAsyncDisposable
{
    private readonly AsyncDuplexStreamingCall<GenerateRequest, GenerateResponse> call;
    private readonly Task upload;

    public GenerationCall(
        Generation.GenerationClient client, GenerateStart start, GenerationRequest request, DateTime? deadline, CancellationToken cancellationToken)
    {
        call = client.Generate(deadline: deadline, cancellationToken: cancellationToken);
        upload = UploadAsync(start, request);
    }

    // Null at the end of the stream.
    public async Task<GenerateResponse?> ReadAsync(CancellationToken cancellationToken) =>
        await call.ResponseStream.MoveNext(cancellationToken) ? call.ResponseStream.Current : null;

    public async ValueTask DisposeAsync()
    {
        call.Dispose();
        await upload;
    }

    private async Task UploadAsync(GenerateStart start, GenerationRequest request)
    {
        try
        {
            await call.RequestStream.WriteAsync(new GenerateRequest { Start = start });
            if (request.InitImage is { } image)
            {
                await SendAsync(image);
                await SendAsync(request.Mask ?? default);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is RpcException or InvalidOperationException or OperationCanceledException or IOException)
        {
            // The server ended the call before it had read everything; the reading side gets the status and tells.
        }
    }

    private async Task SendAsync(ReadOnlyMemory<byte> file)
    {
        for (int offset = 0; offset < file.Length; offset += Wire.FrameBytes)
        {
            var frame = new ImageFileFrame
            {
                Data = UnsafeByteOperations.UnsafeWrap(file.Slice(offset, Math.Min(Wire.FrameBytes, file.Length - offset))),
            };
            await call.RequestStream.WriteAsync(new GenerateRequest { Frame = frame });
        }
    }
}
