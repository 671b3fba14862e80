using Fleet.Contracts.Registry.V1;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Client.Rollouts;

/// <summary>The plan of a rollout for which none is given.</summary>
public static class StandardPlan
{
    /// <summary>Pairs first and hardly any traffic, then 5, 25 and 50 percent. The rest are the defaults of rollouts.proto.</summary>
    public static RolloutPlan Create() => new()
    {
        Steps =
        {
            Step(percent: 1, shadow: 20, minutes: 1, pairs: 20),
            Step(percent: 5, shadow: 20, minutes: 5),
            Step(percent: 25, shadow: 5, minutes: 10),
            Step(percent: 50, shadow: 5, minutes: 10),
        },
    };

    private static RolloutStep Step(double percent, double shadow, int minutes, int pairs = 0) => new()
    {
        Percent = percent,
        ShadowPercent = shadow,
        MinTime = Duration.FromTimeSpan(TimeSpan.FromMinutes(minutes)),
        MinRequests = 20,
        MinPairs = pairs,
    };
}
