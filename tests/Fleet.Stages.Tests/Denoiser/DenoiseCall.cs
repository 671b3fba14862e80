using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Tensor.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Fleet.Stages.Tests.Denoiser;

/// <summary>Messages of a Denoise call for the tiny model, and what comes of them.</summary>
internal static class DenoiseCall
{
    public const int Width = 32;

    public static DenoiseStart Start(string version) => new()
    {
        RequestId = "test",
        Version = version,
        LatentHeight = 16,
        LatentWidth = 16,
        Count = 1,
        Seed = 7,
        Steps = 4,
        GuidanceScale = 5,
        Output = new ImageOutput { Format = ImageFormat.Png },
    };

    /// <summary>Numbers that are the same in every run, near standard normal.</summary>
    public static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2)];
    }

    public static IEnumerable<DenoiseRequest> Tensor(string name, float[] values, params long[] shape) =>
        TensorCodec.Split(name, DType.Float32, shape, MemoryMarshal.AsBytes<float>(values).ToArray()).Select(chunk => new DenoiseRequest { Tensor = chunk });

    /// <summary>The start and the embeddings that it announces.</summary>
    public static IEnumerable<DenoiseRequest> Messages(DenoiseStart start, int promptSeed = 1) =>
    [
        new DenoiseRequest { Start = start },
        .. Tensor("embeddings", Values(77 * Width, promptSeed), 1, 77, Width),
        .. start.GuidanceScale > 1 ? Tensor("negative_embeddings", Values(77 * Width, promptSeed + 1), 1, 77, Width) : [],
    ];

    public static async Task<List<DenoiseResponse>> RunAsync(GrpcChannel channel, IEnumerable<DenoiseRequest> messages)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var call = new Contracts.Denoiser.V1.Denoiser.DenoiserClient(channel).Denoise(cancellationToken: cancellation);
        try
        {
            foreach (var message in messages)
            {
                await call.RequestStream.WriteAsync(message, cancellation);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (RpcException)
        {
            // The call has ended; reading says how.
        }

        return await call.ResponseStream.ReadAllAsync(cancellation).ToListAsync(cancellation);
    }

    /// <summary>SHA-256 of the pixels of each image, in order of index.</summary>
    public static List<string> Pixels(IEnumerable<DenoiseResponse> responses) =>
    [
        .. responses.Where(r => r.Decoded?.Image?.Trailer is not null).Select(r => r.Decoded.Image)
            .OrderBy(image => image.ImageIndex).Select(image => Convert.ToHexString(image.Trailer.PixelsSha256.Span)),
    ];

    /// <summary>The file of one image.</summary>
    public static byte[] File(IEnumerable<DenoiseResponse> responses, int index = 0) =>
        [.. responses.Where(r => r.Decoded?.Image?.ImageIndex == index).SelectMany(r => r.Decoded.Image.Data)];
}
