using System.Globalization;
using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Client.Rollouts;

/// <summary>Lengths of time as a plan's YAML writes them: "90s", "10m", "1h30m", "1d".</summary>
internal static partial class PlanTime
{
    private static readonly (string Name, TimeSpan Length)[] Units =
    [
        ("d", TimeSpan.FromDays(1)),
        ("h", TimeSpan.FromHours(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("ms", TimeSpan.FromMilliseconds(1)),
    ];

    /// <summary>Null when the text is no length of time, or one of more than 10,000 days.</summary>
    public static Duration? Parse(string text)
    {
        if (!Form().IsMatch(text))
        {
            return null;
        }

        double seconds = Part().Matches(text).Sum(part =>
            double.Parse(part.Groups[1].Value, CultureInfo.InvariantCulture) * Units.First(unit => unit.Name == part.Groups[2].Value).Length.TotalSeconds);
        return seconds <= TimeSpan.FromDays(10_000).TotalSeconds ? TimeSpan.FromSeconds(seconds).ToDuration() : null;
    }

    public static string Write(Duration time)
    {
        var rest = time.ToTimeSpan();
        string text = "";
        foreach (var (name, length) in Units[..3])
        {
            long whole = rest / length is var count && count >= 1 ? (long)count : 0;
            text += whole > 0 ? $"{whole}{name}" : "";
            rest -= whole * length;
        }

        return rest == TimeSpan.Zero && text.Length > 0 ? text : string.Create(CultureInfo.InvariantCulture, $"{text}{rest.TotalSeconds}s");
    }

    [GeneratedRegex(@"^([0-9]+(\.[0-9]+)?(d|h|ms|m|s))+\z")]
    private static partial Regex Form();

    [GeneratedRegex(@"([0-9]+(?:\.[0-9]+)?)(d|h|ms|m|s)")]
    private static partial Regex Part();
}
