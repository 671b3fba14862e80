using System.Security.Cryptography;
using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Generation.V1;
using Grpc.Core;

namespace Fleet.Client;

// Turns responses into events: joins the chunks of images, and leaves out what an earlier try has given already.
internal sealed class EventAssembler
{
    private readonly HashSet<int> finished = [];
    private readonly Dictionary<int, MemoryStream> partial = [];
    private string? version;

    // A new try replays the generation from its first event.
    public void Restart() => partial.Clear();

    // Null when the response completes nothing.
    public GenerationEvent? Add(GenerateResponse response) => response.EventCase switch
    {
        GenerateResponse.EventOneofCase.Accepted => Add(response.Accepted),
        GenerateResponse.EventOneofCase.Progress => Translate(response.Progress),
        GenerateResponse.EventOneofCase.Preview => Translate(response.Preview),
        GenerateResponse.EventOneofCase.Image => Add(response.Image),
        GenerateResponse.EventOneofCase.Receipt => new ReceiptReceived(response.Receipt),
        _ => null, // an event of a newer server
    };

    private static GenerationProgress Translate(Progress p) => new(
        p.Step,
        p.Steps,
        p.EtaMs > 0 ? TimeSpan.FromMilliseconds(p.EtaMs) : null,
        TimeSpan.FromMicroseconds(p.StepUs),
        p.QueuePosition);

    private static PreviewReceived Translate(Preview p) => new(p.ImageIndex, p.Step, p.Png.Memory);

    // Another version than before took over: what came from that one is not part of the result.
    private GenerationAccepted? Add(Accepted a)
    {
        if (a.Version == version)
        {
            return null;
        }

        version = a.Version;
        finished.Clear();
        partial.Clear();
        return new GenerationAccepted(a.RequestId, a.Version, a.Model, a.QueuePosition, a.Steps, a.Seed, a.Attached, a.CanaryOf);
    }

    private ImageReceived? Add(ImageChunk chunk)
    {
        int index = chunk.ImageIndex;
        if (finished.Contains(index))
        {
            return null;
        }

        if (!partial.TryGetValue(index, out var file))
        {
            partial[index] = file = new MemoryStream();
        }

        if (chunk.Offset != file.Length)
        {
            throw Damaged($"Image {index}: bytes from offset {chunk.Offset} came after {file.Length} bytes.");
        }

        file.Write(chunk.Data.Span);
        if (chunk.Trailer is not { } trailer)
        {
            return null;
        }

        var bytes = new ReadOnlyMemory<byte>(file.GetBuffer(), 0, (int)file.Length);
        byte[] sha256 = SHA256.HashData(bytes.Span);
        if (!trailer.FileSha256.Span.SequenceEqual(sha256))
        {
            throw Damaged($"Image {index}: SHA-256 is {Convert.ToHexStringLower(sha256)}, the server says {Hex(trailer.FileSha256.Span)}.");
        }

        partial.Remove(index);
        finished.Add(index);
        return new ImageReceived(
            index, trailer.Seed, bytes, Convert.ToHexStringLower(sha256), Hex(trailer.PixelsSha256.Span), trailer.Width, trailer.Height);
    }

    private static string Hex(ReadOnlySpan<byte> digest) => Convert.ToHexStringLower(digest);

    private static FleetException Damaged(string message) => new(StatusCode.DataLoss, message);
}
