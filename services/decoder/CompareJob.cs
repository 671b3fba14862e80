using System.Runtime.InteropServices;
using Fleet.Contracts;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Tensor.V1;
using Fleet.Diffusion.Imaging;
using Fleet.Hosting;
using Grpc.Core;

namespace Fleet.Decoder;

/// <summary>The two pictures of a ComparePictures call, and their latents when they came too.</summary>
internal sealed record CompareJob(Picture First, Picture Second, float[]? FirstLatents, float[]? SecondLatents, int ThumbnailSize)
{
    private const int MaxFileBytes = 64 * 1024 * 1024;
    private const int MaxThumbnail = 128;

    // The largest latents that the Decode call takes, with as many channels as any published autoencoder has.
    private const int MaxChannels = 16;
    private const int MaxSide = 512;

    /// <summary>Reads a call: start, the two files, the two tensors that start announces.</summary>
    /// <exception cref="InvalidRequestException">Messages are missing, left over or out of order, or what they hold does not fit together.</exception>
    /// <exception cref="TensorStreamException">A tensor's messages do not fit together.</exception>
    public static async Task<CompareJob> ReadAsync(
        IAsyncStreamReader<ComparePicturesRequest> requests, long maxPixels, CancellationToken cancellation)
    {
        if (!await requests.MoveNext(cancellation) || requests.Current.Start is not { } start)
        {
            throw new InvalidRequestException("start", null, "send it as the first message");
        }

        var firstLength = (int)RequestRules.Within("start.first_byte_length", start.FirstByteLength, 1, MaxFileBytes);
        var secondLength = (int)RequestRules.Within("start.second_byte_length", start.SecondByteLength, 1, MaxFileBytes);
        var thumbnailSize = RequestRules.Within("start.thumbnail_size", start.ThumbnailSize, 0, MaxThumbnail);

        var files = await ReadFilesAsync(requests, firstLength + secondLength, cancellation);
        var first = Decode("first", files.AsSpan(0, firstLength), maxPixels);
        var second = Decode("second", files.AsSpan(firstLength, secondLength), maxPixels);
        if (first.Width != second.Width || first.Height != second.Height)
        {
            throw new InvalidRequestException(
                "second", $"of {second.Width}x{second.Height} pixels", $"give two pictures of one size: the first has {first.Width}x{first.Height}");
        }

        var latents = await ReadTensorsAsync(requests, start.Latents ? 2 : 0, cancellation);
        return new CompareJob(first, second, latents.ElementAtOrDefault(0), latents.ElementAtOrDefault(1), thumbnailSize);
    }

    private static async Task<byte[]> ReadFilesAsync(
        IAsyncStreamReader<ComparePicturesRequest> requests, int length, CancellationToken cancellation)
    {
        using var received = new MemoryStream(); // grows with what comes: an announcement alone takes no memory
        while (received.Length < length)
        {
            var frame = await requests.MoveNext(cancellation) ? requests.Current.Frame : null;
            if (frame is null)
            {
                throw new InvalidRequestException("frame", $"missing after {received.Length} bytes", $"send the {length} bytes that start announces");
            }

            RequestRules.Within("frame.data.length", frame.Data.Length, 1, Wire.MaxFrameBytes);
            if (received.Length + frame.Data.Length > length)
            {
                throw new InvalidRequestException("frame.data", $"{received.Length + frame.Data.Length} bytes in all", $"send the {length} bytes that start announces");
            }

            received.Write(frame.Data.Span);
        }

        return received.GetBuffer();
    }

    private static async Task<List<float[]>> ReadTensorsAsync(
        IAsyncStreamReader<ComparePicturesRequest> requests, int count, CancellationToken cancellation)
    {
        var assembler = new TensorAssembler((long)MaxChannels * MaxSide * MaxSide * sizeof(float));
        var tensors = new List<TensorBytes>();
        while (await requests.MoveNext(cancellation))
        {
            if (tensors.Count == count || requests.Current.Tensor is not { } chunk)
            {
                throw new InvalidRequestException(
                    "message", requests.Current.MessageCase, $"after the files send {(count == 0 ? "nothing" : "the tensors 'latents' of both pictures")}");
            }

            if (chunk.Header is { } header)
            {
                CheckHeader(header, tensors.FirstOrDefault());
            }

            if (assembler.Add(chunk) is { } tensor)
            {
                tensors.Add(tensor);
            }
        }

        return tensors.Count == count
            ? tensors.ConvertAll(tensor => MemoryMarshal.Cast<byte, float>(tensor.Data).ToArray())
            : throw new InvalidRequestException("tensor", $"missing after {tensors.Count} of {count}", "send 'latents' of both pictures, as start.latents says");
    }

    private static void CheckHeader(TensorHeader header, TensorBytes? first)
    {
        if (header.Name != "latents")
        {
            throw new InvalidRequestException("tensor.header.name", header.Name, "give 'latents'");
        }

        if (header.Dtype != DType.Float32)
        {
            throw new InvalidRequestException("tensor.header.dtype", header.Dtype, "give FLOAT32");
        }

        if (header.Shape is not [1, >= 1 and <= MaxChannels, >= 1 and <= MaxSide, >= 1 and <= MaxSide]
            || (first is not null && !header.Shape.SequenceEqual(first.Shape)))
        {
            throw new InvalidRequestException(
                "tensor.header.shape",
                $"({string.Join(", ", header.Shape)})",
                $"give (1, c, h, w) with c to {MaxChannels}, h and w to {MaxSide}, the same for both pictures");
        }
    }

    private static Picture Decode(string field, ReadOnlySpan<byte> file, long maxPixels)
    {
        try
        {
            return PictureFile.Decode(file, maxPixels);
        }
        catch (PictureFormatException e)
        {
            throw new InvalidRequestException(field, $"a file of {file.Length} bytes", e.Message.TrimEnd('.'));
        }
    }
}
