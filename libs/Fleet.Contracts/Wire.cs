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

    /// <summary>Metadata key of Generate calls: GenerateStart.version_pin for callers that cannot set the field.</summary>
    public const string VersionPinKey = "fleet-version-pin";

    /// <summary>
    /// Trailer of FAILED_PRECONDITION when it is the version that is at fault and not the request: "not-finite" for weights that give NaN or
    /// infinite numbers, "load" for a version that cannot be loaded.
    /// </summary>
    public const string VersionFaultTrailer = "version-fault";

    /// <summary>Value of <see cref="VersionFaultTrailer"/>: the weights give NaN or infinite numbers.</summary>
    public const string NotFinite = "not-finite";

    /// <summary>Value of <see cref="VersionFaultTrailer"/>: the version cannot be loaded.</summary>
    public const string LoadFailed = "load";
}
