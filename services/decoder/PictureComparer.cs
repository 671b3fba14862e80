using Fleet.Contracts.Decoder.V1;
using Fleet.Diffusion.Imaging;
using Fleet.Hosting;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Decoder;

/// <summary>Compares pictures beside the device, on the thread pool: at most so many at once, a further one is refused.</summary>
internal sealed class PictureComparer(IOptions<DecoderOptions> options)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim places = new(options.Value.MaxComparisons);

    /// <summary>Reads a call and compares.</summary>
    /// <exception cref="OverloadedException">As many comparisons as may are being made.</exception>
    /// <exception cref="InvalidRequestException">The call does not hold what decoder.proto asks for.</exception>
    public async Task<ComparePicturesResponse> CompareAsync(IAsyncStreamReader<ComparePicturesRequest> requests, CancellationToken cancellation)
    {
        // Before anything is read: two files of 64 MiB and their pixels are what a comparison takes.
        if (!places.Wait(0, CancellationToken.None))
        {
            throw new OverloadedException($"{options.Value.MaxComparisons} comparisons are being made, which is as many as may.", RetryAfter);
        }

        try
        {
            return Compare(await CompareJob.ReadAsync(requests, options.Value.MaxFilePixels, cancellation));
        }
        finally
        {
            places.Release();
        }
    }

    private static ComparePicturesResponse Compare(CompareJob job)
    {
        const double MostDecibels = 100; // what decoder.proto says for equal pictures
        var response = new ComparePicturesResponse
        {
            Identical = job.First.Rgb.AsSpan().SequenceEqual(job.Second.Rgb),
            PsnrDb = Math.Min(PictureDifference.PeakSignalToNoise(job.First, job.Second), MostDecibels),
            Ssim = PictureDifference.StructuralSimilarity(job.First, job.Second, SimilarityWindow.Gaussian),
        };
        if (job is { FirstLatents: { } first, SecondLatents: { } second })
        {
            response.LatentRmse = LatentDistance(first, second);
        }

        if (job.ThumbnailSize > 0)
        {
            response.FirstThumbnail = Thumbnail(job.First, job.ThumbnailSize);
            response.SecondThumbnail = Thumbnail(job.Second, job.ThumbnailSize);
        }

        return response;
    }

    // Root of the mean squared difference over the root mean square of the first.
    private static double LatentDistance(float[] first, float[] second)
    {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < first.Length; i++)
        {
            difference += ((double)first[i] - second[i]) * ((double)first[i] - second[i]);
            size += (double)first[i] * first[i];
        }

        double distance = difference == 0 ? 0 : Math.Sqrt(difference / size);
        return double.IsFinite(distance)
            ? distance
            : throw new InvalidRequestException("tensor", "without a finite distance", "give latents that are finite, the first ones not all zero");
    }

    private static ByteString Thumbnail(Picture picture, int size)
    {
        int longest = Math.Max(picture.Width, picture.Height);
        var small = longest <= size
            ? picture
            : picture.Resize(Math.Max(picture.Width * size / longest, 1), Math.Max(picture.Height * size / longest, 1));
        return UnsafeByteOperations.UnsafeWrap(PngWriter.Write(small, []));
    }
}
