using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Gateway.Stages;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Gateway.Rollouts;

/// <summary>Has the decoder compare the first pictures of two runs.</summary>
internal static class PictureComparison
{
    private const int ThumbnailSize = 128;

    public static async Task<ComparePicturesResponse> RunAsync(Decoder.DecoderClient decoder, Denoising first, Denoising second, CallOptions options)
    {
        using var call = decoder.ComparePictures(options);
        var sending = StageStream.SendAllAsync(call.RequestStream, Messages(first, second), options.CancellationToken);
        var response = await call;
        await sending;
        return response;
    }

    private static IEnumerable<ComparePicturesRequest> Messages(Denoising first, Denoising second)
    {
        bool latents = first.FirstLatents.Count > 0 && second.FirstLatents.Count > 0;
        yield return new ComparePicturesRequest
        {
            Start = new ComparePicturesStart
            {
                FirstByteLength = first.Images.FirstFile.Sum(piece => piece.Length),
                SecondByteLength = second.Images.FirstFile.Sum(piece => piece.Length),
                Latents = latents,
                ThumbnailSize = ThumbnailSize,
            },
        };

        foreach (var piece in first.Images.FirstFile.Concat(second.Images.FirstFile).SelectMany(Frames))
        {
            yield return new ComparePicturesRequest { Frame = new ImageFileFrame { Data = UnsafeByteOperations.UnsafeWrap(piece) } };
        }

        foreach (var chunk in latents ? first.FirstLatents.Concat(second.FirstLatents) : [])
        {
            yield return new ComparePicturesRequest { Tensor = chunk };
        }
    }

    // The decoder's chunks may be as large as a frame may be, and no chunk is empty but a last one whose bytes were passed on before.
    private static IEnumerable<ReadOnlyMemory<byte>> Frames(ReadOnlyMemory<byte> piece)
    {
        for (int offset = 0; offset < piece.Length; offset += Wire.FrameBytes)
        {
            yield return piece.Slice(offset, Math.Min(Wire.FrameBytes, piece.Length - offset));
        }
    }
}
