namespace Fleet.Client;

/// <summary>Settings of a <see cref="FleetClient"/>.</summary>
public sealed class FleetClientOptions
{
    /// <summary>The gateway, for example <c>http://localhost:7860</c>; used where no address or channel is given otherwise.</summary>
    public string? Address { get; set; }

    /// <summary>How often a generation is tried in all, first try included. At least 1.</summary>
    public int MaxAttempts { get; set; } = 5;

    /// <summary>Wait before the second try; it doubles with each further one. A server's retry hint counts when it is longer.</summary>
    public TimeSpan FirstRetryDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Longest wait between two tries, unless the server asks for more.</summary>
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Time for a whole generation, all tries included, when the request names none. Null: no limit.</summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>The clock of waits and deadlines.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;
}
