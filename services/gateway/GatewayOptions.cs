using System.ComponentModel.DataAnnotations;

namespace Fleet.Gateway;

/// <summary>Admission, patience and memory of the gateway.</summary>
internal sealed class GatewayOptions
{
    public const string Section = "Gateway";

    /// <summary>Model reference of requests that name none. Empty: such requests are refused.</summary>
    public string DefaultModel { get; init; } = "";

    /// <summary>Jobs that run at once; a further one is refused with a retry hint.</summary>
    [Range(1, 100_000)]
    public int MaxRunningJobs { get; init; } = 64;

    /// <summary>How long a finished job's events are kept for callers that repeat its id.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "7.00:00:00")]
    public TimeSpan KeepFinishedFor { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Bytes of finished jobs that are kept; the oldest goes first.</summary>
    [Range(0, long.MaxValue)]
    public long KeepFinishedBytes { get; init; } = 256L << 20;

    /// <summary>How long a job goes on after its last caller left, in case the caller comes back.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "7.00:00:00")]
    public TimeSpan CallerGrace { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long one event may wait for a caller to read; then the call is ended and the job goes on for the others.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan StalledAfter { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a caller may take to send its request, files included.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan UploadTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Bytes of init images and masks that are held at once, over all calls.</summary>
    [Range(0, long.MaxValue)]
    public long MaxUploadBytes { get; init; } = 512L << 20;

    /// <summary>How often one stage is tried for a job while it cannot be reached or breaks off, first try included.</summary>
    [Range(1, 100)]
    public int StageAttempts { get; init; } = 8;

    /// <summary>Wait before the second try of a stage; it doubles with each further one.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan StageRetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Longest wait between two tries of a stage.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan MaxStageRetryDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the answer to "which version is this" is used without asking again.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan ResolveCacheFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a question to the registry or for the list of schedulers may take.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan LookupTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
