using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Gateway.Planning;
using Fleet.Gateway.Requests;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>The decoder's first part of a job that starts from a picture: the picture, and its mask, as latents.</summary>
internal static class ImageEncoding
{
    public static async Task<IReadOnlyList<TensorChunk>> RunAsync(
        Decoder.DecoderClient decoder, string requestId, GenerationPlan plan, InitFiles files, CallOptions options)
    {
        var start = new EncodeImageStart
        {
            RequestId = requestId,
            Version = plan.Version,
            Width = plan.Recipe.Width,
            Height = plan.Recipe.Height,
            ImageByteLength = files.Image.Length,
            MaskByteLength = files.Mask.Length,
        };

        using var call = decoder.EncodeImage(options);
        var sending = StageStream.SendAllAsync(call.RequestStream, Messages(start, files), options.CancellationToken);
        var tensors = new List<TensorChunk>();
        await foreach (var response in call.ResponseStream.ReadAllAsync(options.CancellationToken))
        {
            if (response.EventCase == EncodeImageResponse.EventOneofCase.Accepted)
            {
                VersionPin.Check(response.Accepted.Version, plan);
            }
            else if (response.EventCase == EncodeImageResponse.EventOneofCase.Tensor)
            {
                tensors.Add(response.Tensor);
            }
        }

        await sending;
        return tensors;
    }

    private static IEnumerable<EncodeImageRequest> Messages(EncodeImageStart start, InitFiles files)
    {
        yield return new EncodeImageRequest { Start = start };
        foreach (var file in new[] { files.Image, files.Mask })
        {
            for (int offset = 0; offset < file.Length; offset += Wire.FrameBytes)
            {
                var data = UnsafeByteOperations.UnsafeWrap(file.Slice(offset, Math.Min(Wire.FrameBytes, file.Length - offset)));
                yield return new EncodeImageRequest { Frame = new ImageFileFrame { Data = data } };
            }
        }
    }
}
