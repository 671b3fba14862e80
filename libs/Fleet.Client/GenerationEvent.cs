using Fleet.Contracts.Generation.V1;

namespace Fleet.Client;

/// <summary>What happens to a generation, in the order of the types below.</summary>
public abstract record GenerationEvent
{
    private protected GenerationEvent()
    {
    }
}

/// <summary>
/// The fleet took the request. Sent first; and again when another version takes over, whose pictures then replace any that came before.
/// </summary>
/// <param name="RequestId">The idempotency key.</param>
/// <param name="Version">Digest of the version that makes the pictures.</param>
/// <param name="Model">Name of that version's model.</param>
/// <param name="QueuePosition">Jobs that wait before this one.</param>
/// <param name="Steps">Steps that will be run.</param>
/// <param name="Seed">The first picture's seed.</param>
/// <param name="Attached">Another call had started this generation.</param>
/// <param name="CanaryOf">The rollout whose canary the version is; empty when it is none.</param>
public sealed record GenerationAccepted(
    string RequestId, string Version, string Model, int QueuePosition, int Steps, long Seed, bool Attached, string CanaryOf = "") : GenerationEvent;

/// <summary>A step was done. Steps may be left out, and the count falls back when a stage failed and the job began again.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Eta">Estimated time until the last picture; null while nothing is known.</param>
/// <param name="StepTime">Time of the last step.</param>
/// <param name="QueuePosition">Jobs that wait before this one; 0 once it runs.</param>
public sealed record GenerationProgress(int Step, int Steps, TimeSpan? Eta, TimeSpan StepTime, int QueuePosition) : GenerationEvent;

/// <summary>A small guess at a picture, as a PNG of at most 128 pixels a side.</summary>
public sealed record PreviewReceived(int ImageIndex, int Step, ReadOnlyMemory<byte> Png) : GenerationEvent;

/// <summary>A whole image file, its SHA-256 verified.</summary>
/// <param name="ImageIndex">Which picture of the request, from 0.</param>
/// <param name="Seed">The picture's own seed.</param>
/// <param name="File">Bytes of the PNG file.</param>
/// <param name="FileSha256">SHA-256 of the file, lower-case hexadecimal.</param>
/// <param name="PixelsSha256">SHA-256 of the pixels, lower-case hexadecimal.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
public sealed record ImageReceived(
    int ImageIndex, long Seed, ReadOnlyMemory<byte> File, string FileSha256, string PixelsSha256, int Width, int Height) : GenerationEvent;

/// <summary>How the pictures were made. Sent once, last.</summary>
public sealed record ReceiptReceived(Receipt Receipt) : GenerationEvent;
