using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Diffusion.Imaging;
using Fleet.Hosting;
using Grpc.Core;

namespace Fleet.Decoder;

/// <summary>The start of an EncodeImage call, within the limits of decoder.proto; and the files that follow it.</summary>
internal sealed record EncodeImageJob(string Version, int Width, int Height, int ImageBytes, int MaskBytes)
{
    private const int MaxFileBytes = 64 * 1024 * 1024;
    public static EncodeImageJob Parse(EncodeImageStart? start)
    {
        if (start is null)
        {
            throw new InvalidRequestException("start", null, "send it as the first message");
        }

        RequestRules.RequestId(start.RequestId);
        return new EncodeImageJob(
            RequestRules.VersionDigest(start.Version),
            Side("start.width", start.Width),
            Side("start.height", start.Height),
            (int)RequestRules.Within("start.image_byte_length", start.ImageByteLength, 1, MaxFileBytes),
            (int)RequestRules.Within("start.mask_byte_length", start.MaskByteLength, 0, MaxFileBytes));
    }

    /// <summary>The picture and, if there is one, the mask, decoded and brought to the job's size.</summary>
    /// <exception cref="InvalidRequestException">Bytes are missing or left over, or a file cannot be read.</exception>
    public async Task<(Picture Image, Picture? Mask)> ReadAsync(
        IAsyncStreamReader<EncodeImageRequest> requests, long maxPixels, CancellationToken cancellation)
    {
        long expected = (long)ImageBytes + MaskBytes;
        using var received = new MemoryStream(); // grows with what comes: an announcement alone takes no memory
        while (await requests.MoveNext(cancellation))
        {
            var frame = requests.Current.Frame ?? throw new InvalidRequestException("message", requests.Current.MessageCase, "after start, send frames only");
            RequestRules.Within("frame.data.length", frame.Data.Length, 1, Wire.MaxFrameBytes);
            if (received.Length + frame.Data.Length > expected)
            {
                throw new InvalidRequestException("frame.data", $"{received.Length + frame.Data.Length} bytes in all", $"send the {expected} bytes that start announces");
            }

            received.Write(frame.Data.Span);
        }

        if (received.Length != expected)
        {
            throw new InvalidRequestException("frame.data", $"{received.Length} bytes in all", $"send the {expected} bytes that start announces");
        }

        byte[] files = received.GetBuffer();
        var image = Decode("image", files.AsSpan(0, ImageBytes), maxPixels);
        var mask = MaskBytes == 0 ? null : Decode("mask", files.AsSpan(ImageBytes, MaskBytes), maxPixels);
        return (image, mask);
    }

    private Picture Decode(string field, ReadOnlySpan<byte> file, long maxPixels)
    {
        try
        {
            return PictureFile.Decode(file, maxPixels).Resize(Width, Height);
        }
        catch (PictureFormatException e)
        {
            throw new InvalidRequestException(field, $"a file of {file.Length} bytes", e.Message.TrimEnd('.'));
        }
    }

    private static int Side(string field, int value) =>
        value is >= 8 and <= 2048 && value % 8 == 0 ? value : throw new InvalidRequestException(field, value, "give a multiple of 8 from 8 to 2048");
}
