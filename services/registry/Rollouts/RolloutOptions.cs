using System.ComponentModel.DataAnnotations;

namespace Fleet.Registry.Rollouts;

internal sealed class RolloutOptions
{
    public const string Section = "Rollouts";

    /// <summary>How often running rollouts are looked at, besides when a report arrives. Other replicas of the registry see a change as late.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:00:10")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the deciding replica may be silent before another takes over.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan LeaseFor { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stage's replica counts as live after it was last heard of.</summary>
    [Range(typeof(TimeSpan), "00:00:11", "00:05:00")]
    public TimeSpan LiveFor { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>The least time of warming: every replica that watches has been heard of by then.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan SettleFor { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long replicas keep the canary after its traffic was taken away: for requests under way, and until every gateway has heard.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan DrainFor { get; set; } = TimeSpan.FromSeconds(2);
}
