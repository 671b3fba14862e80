namespace Fleet.Benchmarks.Rollouts;

/// <summary>What is true of the two versions and their surroundings in one row of the table; nothing differs unless it says so.</summary>
internal sealed record Scenario(string Name)
{
    /// <summary>Share of requests that fail.</summary>
    public double StableErrors { get; init; } = 0.001;

    public double CanaryErrors { get; init; } = 0.001;

    /// <summary>Share of each hour, around its half, in which 30 % of all requests fail whoever answers them.</summary>
    public double Outages { get; init; }

    /// <summary>Canary's time on the device over stable's. 0: no times are reported.</summary>
    public double LatencyRatio { get; init; }

    /// <summary>Mean of 1 - SSIM over same-seed pairs.</summary>
    public double Distance { get; init; } = 0.2;

    /// <summary>Maximum time of a step, in which 36,000 requests arrive each hour.</summary>
    public double Hours { get; init; } = 4;

    /// <summary>Share of requests that the canary answers in the first step.</summary>
    public double FirstPercent { get; init; } = 5;
}
