using Fleet.Contracts;
using Fleet.Contracts.Generation.V1;
using Fleet.Hosting;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Requests;

/// <summary>Reads a request off the wire: the start message, then the bytes of the files that it announces.</summary>
internal sealed class RequestReader(IOptions<GatewayOptions> options, TimeProvider time)
{
    private readonly UploadBudget budget = new(options.Value.MaxUploadBytes);

    /// <exception cref="InvalidRequestException">The messages are not those of generation.proto.</exception>
    /// <exception cref="OverloadedException">The files of other callers leave no room.</exception>
    public async Task<GenerationOrder> ReadAsync(
        IAsyncStreamReader<GenerateRequest> requests, Metadata headers, CancellationToken cancellationToken)
    {
        var limit = options.Value.UploadTimeout;
        using var timeout = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await ReadAllAsync(requests, headers, either.Token);
        }
        catch (Exception e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(
                StatusCode.DeadlineExceeded, $"The request did not arrive whole within {limit.TotalSeconds:0.###} s; send start and files without a pause.", e));
        }
    }

    private async Task<GenerationOrder> ReadAllAsync(
        IAsyncStreamReader<GenerateRequest> requests, Metadata headers, CancellationToken cancellationToken)
    {
        if (await NextAsync(requests, cancellationToken) is not { Start: { } start })
        {
            throw new InvalidRequestException("start", null, "send it as the first message");
        }

        string requestId = start.RequestId is "" ? Guid.NewGuid().ToString("N") : RequestRules.RequestId(start.RequestId);
        var parameters = GenerationParameters.Parse(start, headers.GetValue(Wire.VersionPinKey) ?? "");
        if (start.Init is not { } init)
        {
            return new GenerationOrder(requestId, parameters, null);
        }

        var files = new InitFiles(budget, init.ImageByteLength, init.MaskByteLength);
        try
        {
            await FillAsync(files.Bytes, requests, cancellationToken);
            parameters = parameters with
            {
                InitImageSha256 = InitFiles.Sha256(files.Image),
                MaskSha256 = InitFiles.Sha256(files.Mask),
            };
            return new GenerationOrder(requestId, parameters, files);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    private static async Task FillAsync(
        Memory<byte> bytes, IAsyncStreamReader<GenerateRequest> requests, CancellationToken cancellationToken)
    {
        int received = 0;
        while (received < bytes.Length)
        {
            if (await NextAsync(requests, cancellationToken) is not { Frame: { } frame })
            {
                throw new InvalidRequestException(
                    "frame", $"missing after {received} bytes", $"send the {bytes.Length} bytes of image and mask that start announced");
            }

            if (frame.Data.Length is 0 or > Wire.MaxFrameBytes || frame.Data.Length > bytes.Length - received)
            {
                throw new InvalidRequestException(
                    "frame.data",
                    $"of {frame.Data.Length} bytes after {received}",
                    $"send 1 to {Wire.MaxFrameBytes} bytes a frame and {bytes.Length} bytes of image and mask in all");
            }

            frame.Data.Span.CopyTo(bytes.Span[received..]);
            received += frame.Data.Length;
        }
    }

    private static async Task<GenerateRequest?> NextAsync(IAsyncStreamReader<GenerateRequest> requests, CancellationToken cancellationToken)
    {
        try
        {
            return await requests.MoveNext(cancellationToken) ? requests.Current : null;
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidRequestException("message", "not as generation.proto says", $"send text as valid UTF-8 ({e.Message})");
        }
    }
}
