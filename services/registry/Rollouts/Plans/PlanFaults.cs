using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Rollouts.Plans;

/// <summary>Collects what is wrong with a plan: each fault names the field, its value and what would be right.</summary>
internal sealed class PlanFaults
{
    // What google.protobuf.Duration allows: about 10,000 years.
    private const long MaxSeconds = 315_576_000_000;

    private readonly List<string> found = [];

    public IReadOnlyList<string> Found => found;

    public void Require(bool right, string field, object value, string remedy)
    {
        if (!right)
        {
            found.Add($"{field} is {Show(value)}; {remedy}.");
        }
    }

    public void Within(string field, double value, double least, double most) =>
        Require(value >= least && value <= most, field, value, string.Create(CultureInfo.InvariantCulture, $"give {least} to {most}"));

    public void Above(string field, double value, double bound, double most) =>
        Require(value > bound && value <= most, field, value, string.Create(CultureInfo.InvariantCulture, $"give more than {bound} and at most {most}"));

    public bool Time(string field, Duration value, TimeSpan least)
    {
        bool valid = value.Seconds is >= -MaxSeconds and <= MaxSeconds && value.Nanos is > -1_000_000_000 and < 1_000_000_000
            && Math.Sign(value.Seconds) * Math.Sign(value.Nanos) >= 0;
        bool right = valid && value.ToTimeSpan() >= least;
        Require(right, field, value, least == TimeSpan.Zero ? "give 0s or longer" : "give a time longer than 0s");
        return right;
    }

    public static string Show(object value) => value switch
    {
        "" => "empty",
        string text => $"'{text}'",
        Duration time => FormattableString.Invariant($"{time.Seconds + (time.Nanos * 1e-9)}s"),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
