using System.Security.Cryptography;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Fleet.Gateway.Stages;

/// <summary>
/// Passes the bytes of images on exactly once, however often the stages begin again: what an earlier attempt has sent is left out of the
/// next one, and the hash at an image's end is checked against all bytes that were passed on, so that a picture which came out
/// differently the second time is never taken for one.
/// </summary>
/// <param name="publish">Where the bytes go.</param>
/// <param name="count">Images that were asked for.</param>
/// <param name="holds">Nothing is passed on before <see cref="Release"/>; each attempt begins with nothing.</param>
/// <param name="keepsFirst">The first image's file is wanted when all is done.</param>
internal sealed class ImageRelay(Action<GenerateResponse> publish, int count, bool holds = false, bool keepsFirst = false)
{
    private readonly List<GenerateResponse> held = [];
    private readonly List<ReadOnlyMemory<byte>> first = [];
    private Image[] images = NewImages(count);

    /// <summary>True when every image has been passed on whole.</summary>
    public bool Complete => images.All(image => image.Trailer is not null);

    /// <summary>The images' records, in order of index.</summary>
    public IEnumerable<ImageRecord> Records => images.Select((image, index) => new ImageRecord
    {
        Index = index,
        Seed = image.Trailer!.Seed,
        FileSha256 = image.Trailer.FileSha256,
        PixelsSha256 = image.Trailer.PixelsSha256,
        Width = image.Trailer.Width,
        Height = image.Trailer.Height,
        ByteLength = image.Trailer.ByteLength,
    });

    /// <summary>The file of the first image, in pieces.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> FirstFile => first;

    /// <summary>What the decoder says about each image that has arrived whole.</summary>
    public IEnumerable<ImageTrailer> Trailers => images.Select(image => image.Trailer).OfType<ImageTrailer>();

    /// <summary>Device time of all images.</summary>
    public TimeSpan DecodeTime => TimeSpan.FromMicroseconds(images.Sum(image => image.Trailer?.ComputeUs ?? 0));

    public void BeginAttempt()
    {
        if (holds)
        {
            images = NewImages(count);
            held.Clear();
            first.Clear();
        }

        Array.ForEach(images, image => image.ArrivedNow = 0);
    }

    /// <summary>Passes on what was held.</summary>
    public void Release()
    {
        held.ForEach(publish);
        held.Clear();
    }

    /// <exception cref="RpcException">The chunk does not follow the ones before it, or the image differs from what was passed on: DATA_LOSS.</exception>
    public void Add(ImageChunk chunk)
    {
        if (chunk.ImageIndex < 0 || chunk.ImageIndex >= images.Length)
        {
            throw Fault($"image {chunk.ImageIndex} was not asked for");
        }

        var image = images[chunk.ImageIndex];
        if (chunk.Offset != image.ArrivedNow)
        {
            throw Fault($"bytes of image {chunk.ImageIndex} from offset {chunk.Offset} came after {image.ArrivedNow} bytes");
        }

        var fresh = chunk.Data.Memory[(int)Math.Min(image.PassedOn - chunk.Offset, chunk.Data.Length)..];
        image.Hash.AppendData(fresh.Span);
        image.ArrivedNow += chunk.Data.Length;
        image.PassedOn += fresh.Length;

        // Before the last bytes go out: callers never see the end of an image that is not what it claims to be.
        if (chunk.Trailer is { } trailer)
        {
            CheckEnd(chunk.ImageIndex, image, trailer);
        }

        bool endsNow = chunk.Trailer is not null && image.Trailer is null;
        image.Trailer ??= chunk.Trailer;
        if (fresh.Length > 0 || endsNow)
        {
            PassOn(fresh.Length == chunk.Data.Length ? chunk : Rest(chunk, fresh));
        }
    }

    private void PassOn(ImageChunk chunk)
    {
        if (keepsFirst && chunk.ImageIndex == 0)
        {
            first.Add(chunk.Data.Memory);
        }

        var response = new GenerateResponse { Image = chunk };
        if (holds)
        {
            held.Add(response);
        }
        else
        {
            publish(response);
        }
    }

    private static Image[] NewImages(int count) => [.. Enumerable.Range(0, count).Select(_ => new Image())];

    private static ImageChunk Rest(ImageChunk chunk, ReadOnlyMemory<byte> fresh) => new()
    {
        ImageIndex = chunk.ImageIndex,
        Offset = chunk.Offset + chunk.Data.Length - fresh.Length,
        Data = UnsafeByteOperations.UnsafeWrap(fresh),
        Trailer = chunk.Trailer,
    };

    private static void CheckEnd(int index, Image image, ImageTrailer trailer)
    {
        byte[] passedOn = image.Hash.GetCurrentHash();
        if (trailer.ByteLength != image.ArrivedNow || image.ArrivedNow != image.PassedOn || !trailer.FileSha256.Span.SequenceEqual(passedOn))
        {
            throw Fault(
                $"image {index} has {image.ArrivedNow} bytes now and {image.PassedOn} with SHA-256 {Convert.ToHexStringLower(passedOn)} were passed on; "
                + $"its trailer says {trailer.ByteLength} bytes with {Convert.ToHexStringLower(trailer.FileSha256.Span)}");
        }
    }

    private static RpcException Fault(string what) => new(new Status(StatusCode.DataLoss, $"{what}."));

    private sealed class Image
    {
        public IncrementalHash Hash { get; } = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long PassedOn { get; set; }

        public long ArrivedNow { get; set; }

        public ImageTrailer? Trailer { get; set; }
    }
}
