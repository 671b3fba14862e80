using System.Security.Cryptography;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Diffusion.Imaging;
using Fleet.Serving;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Options;
using V1 = Fleet.Contracts.Decoder.V1;

namespace Fleet.Decoder;

/// <summary>The decoder on the wire.</summary>
internal sealed class DecoderService(
    DecodingEngine engine, ResidentModels<DecoderModel> models, PictureComparer comparer, IOptions<DecoderOptions> options) : V1.Decoder.DecoderBase
{
    public override async Task Decode(
        IAsyncStreamReader<DecodeRequest> requests, IServerStreamWriter<DecodeResponse> responses, ServerCallContext context)
    {
        var job = DecodeJob.Parse(await requests.MoveNext(context.CancellationToken) ? requests.Current.Start : null);
        engine.RequirePlace();
        using var model = await models.AcquireAsync(job.Version, context.CancellationToken);
        await responses.WriteAsync(new DecodeResponse { Accepted = new DecodeAccepted { Version = job.Version, Cold = model.Cold } }, context.CancellationToken);

        var reader = new LatentsReader(requests, model.Model);
        while (await reader.ReadAsync(context.CancellationToken) is { } latents)
        {
            if (latents.Start.Preview)
            {
                var picture = await engine.PreviewAsync(latents, model.Model, context.CancellationToken);
                await responses.WriteAsync(new DecodeResponse { Preview = Preview(latents.Start, picture) }, context.CancellationToken);
                continue;
            }

            var decoded = await engine.DecodeAsync(latents, model.Model, context.CancellationToken);
            foreach (var chunk in Chunks(latents.Start, decoded, PngWriter.Write(decoded.Picture, job.RecordsOf(latents.Start))))
            {
                await responses.WriteAsync(new DecodeResponse { Image = chunk }, context.CancellationToken);
            }
        }
    }

    public override async Task EncodeImage(
        IAsyncStreamReader<EncodeImageRequest> requests, IServerStreamWriter<EncodeImageResponse> responses, ServerCallContext context)
    {
        var job = EncodeImageJob.Parse(await requests.MoveNext(context.CancellationToken) ? requests.Current.Start : null);
        engine.RequirePlace();
        using var model = await models.AcquireAsync(job.Version, context.CancellationToken);
        await responses.WriteAsync(new EncodeImageResponse { Accepted = new DecodeAccepted { Version = job.Version, Cold = model.Cold } }, context.CancellationToken);

        var (image, mask) = await job.ReadAsync(requests, options.Value.MaxFilePixels, context.CancellationToken);
        foreach (var tensor in await engine.EncodeAsync(image, mask, model.Model, context.CancellationToken))
        {
            foreach (var chunk in TensorCodec.Split(tensor.Name, DType.Float32, tensor.Shape, tensor.Data))
            {
                await responses.WriteAsync(new EncodeImageResponse { Tensor = chunk }, context.CancellationToken);
            }
        }
    }

    public override Task<ComparePicturesResponse> ComparePictures(
        IAsyncStreamReader<ComparePicturesRequest> requests, ServerCallContext context) => comparer.CompareAsync(requests, context.CancellationToken);

    private static Preview Preview(LatentsStart latents, Picture picture) => new()
    {
        ImageIndex = latents.ImageIndex,
        Step = latents.Step,
        Png = UnsafeByteOperations.UnsafeWrap(PngWriter.Write(picture, [])),
    };

    private static IEnumerable<ImageChunk> Chunks(LatentsStart latents, DecodedPicture decoded, byte[] file)
    {
        for (int offset = 0; offset < file.Length; offset += Wire.FrameBytes)
        {
            int length = Math.Min(Wire.FrameBytes, file.Length - offset);
            var chunk = new ImageChunk
            {
                ImageIndex = latents.ImageIndex,
                Offset = offset,
                Data = UnsafeByteOperations.UnsafeWrap(file.AsMemory(offset, length)),
            };
            if (offset + length == file.Length)
            {
                chunk.Trailer = new ImageTrailer
                {
                    ByteLength = file.Length,
                    FileSha256 = ByteString.CopyFrom(SHA256.HashData(file)),
                    PixelsSha256 = ByteString.CopyFrom(SHA256.HashData(decoded.Picture.Rgb)),
                    Width = decoded.Picture.Width,
                    Height = decoded.Picture.Height,
                    ComputeUs = (long)decoded.ComputeTime.TotalMicroseconds,
                    Seed = latents.Seed,
                    Pixels = Statistics(decoded.Picture),
                };
            }

            yield return chunk;
        }
    }

    private static PixelStatistics Statistics(Picture picture)
    {
        var statistics = PictureStatistics.Of(picture);
        return new PixelStatistics
        {
            Mean = statistics.Mean,
            StandardDeviation = statistics.StandardDeviation,
            Minimum = statistics.Minimum,
            Maximum = statistics.Maximum,
            LargestRange = statistics.LargestRange,
        };
    }
}
