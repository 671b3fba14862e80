namespace Fleet.Contracts;

/// <summary>What all calls have in common on the wire; the protos say it beside the fields.</summary>
public static class Wire
{
    /// <summary>Bytes of tensor or file data per message, as Fleet sends them.</summary>
    public const int FrameBytes = 128 * 1024;

    /// <summary>The most bytes of tensor or file data that a message may carry.</summary>
    public const int MaxFrameBytes = 256 * 1024;

    /// <summary>Trailer of RESOURCE_EXHAUSTED: milliseconds after which asking again is likely to help.</summary>
    public const string RetryAfterTrailer = "retry-after-ms";
}
