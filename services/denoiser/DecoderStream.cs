using System.Threading.Channels;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Hosting;
using Grpc.Core;

namespace Fleet.Denoiser;

/// <summary>A job's call of the decoder: latents go out as they appear, and what the decoder makes of them comes back.</summary>
internal sealed class DecoderStream : IDisposable
{
    private readonly AsyncDuplexStreamingCall<DecodeRequest, DecodeResponse> call;
    private readonly long firstSeed;
    private readonly string version;

    private DecoderStream(AsyncDuplexStreamingCall<DecodeRequest, DecodeResponse> call, DenoiseStart start)
    {
        this.call = call;
        firstSeed = start.Seed;
        version = start.Version;
    }

    /// <summary>Whether the decoder had to load the version; known once it has sent something.</summary>
    public bool Cold { get; private set; }

    /// <summary>Opens the call within the caller's deadline and announces the job.</summary>
    public static async Task<DecoderStream> OpenAsync(Decoder.DecoderClient decoder, DenoiseStart start, DateTime deadline, CancellationToken cancellation)
    {
        var stream = new DecoderStream(decoder.Decode(deadline: deadline, cancellationToken: cancellation), start);
        await stream.SendAsync(
            new DecodeRequest { Start = new DecodeStart { RequestId = start.RequestId, Version = start.Version, Output = start.Output } }, cancellation);
        return stream;
    }

    /// <summary>Sends latents, frame by frame; waits while the decoder is behind.</summary>
    public async Task SendAsync(LatentsReady latents, CancellationToken cancellation)
    {
        await SendAsync(
            new DecodeRequest
            {
                Latents = new LatentsStart { ImageIndex = latents.Index, Preview = latents.Preview, Step = latents.Step, Seed = firstSeed + latents.Index },
            },
            cancellation);
        foreach (var chunk in TensorCodec.Split("latents", DType.Float32, latents.Shape, latents.Data))
        {
            await SendAsync(new DecodeRequest { Tensor = chunk }, cancellation);
        }
    }

    /// <summary>Says that no more latents will come.</summary>
    public Task CompleteAsync() => call.RequestStream.CompleteAsync();

    /// <summary>Hands on previews and images until the decoder is done.</summary>
    public async Task RelayAsync(ChannelWriter<DenoiseResponse> output, CancellationToken cancellation)
    {
        await foreach (var decoded in call.ResponseStream.ReadAllAsync(cancellation))
        {
            if (decoded.Accepted is { } accepted)
            {
                Accept(accepted);
            }
            else
            {
                await output.WriteAsync(new DenoiseResponse { Decoded = decoded }, cancellation);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => call.Dispose();

    private void Accept(DecodeAccepted accepted)
    {
        if (accepted.Version != version)
        {
            throw new PreconditionException($"The decoder answered for version {accepted.Version}; {version} was asked for.");
        }

        Cold = accepted.Cold;
    }

    private Task SendAsync(DecodeRequest request, CancellationToken cancellation) => call.RequestStream.WriteAsync(request, cancellation);
}
