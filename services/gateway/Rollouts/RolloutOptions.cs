using System.ComponentModel.DataAnnotations;

namespace Fleet.Gateway.Rollouts;

/// <summary>What the gateway does while a model is being rolled out.</summary>
internal sealed class RolloutOptions
{
    public const string Section = "Rollouts";

    /// <summary>Share of the time to a request's deadline that the canary has; the rest is for stable to answer in its place.</summary>
    [Range(0.1, 0.9)]
    public double CanaryShare { get; init; } = 0.5;

    /// <summary>Longest time that a canary has for a request, whatever its deadline.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan CanaryTimeLimit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How often one stage is tried for a canary or a shadow run, first try included.</summary>
    [Range(1, 100)]
    public int CanaryAttempts { get; init; } = 2;

    /// <summary>Longest time that outcomes wait to be reported together.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan ReportAfter { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Outcomes that are held while the registry cannot be reached; of more, the oldest goes.</summary>
    [Range(1, 1_000_000)]
    public int MaxPendingOutcomes { get; init; } = 10_000;

    /// <summary>Compared pairs, with their thumbnails, that are held while the registry cannot be reached; of more, the oldest goes.</summary>
    [Range(1, 10_000)]
    public int MaxPendingPairs { get; init; } = 200;

    /// <summary>Requests whose shadow run waits; a further one gets none.</summary>
    [Range(1, 1000)]
    public int ShadowQueue { get; init; } = 8;

    /// <summary>Callers' jobs in this gateway with which a shadow run still begins.</summary>
    [Range(0, 100_000)]
    public int ShadowMaxRunningJobs { get; init; } = 16;

    /// <summary>Longest time of a shadow run.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan ShadowTimeLimit { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Longest silence of the registry's stream of traffic, which speaks every 10 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan MaxSilence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest wait between two tries to reach the registry.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:10:00")]
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(5);
}
