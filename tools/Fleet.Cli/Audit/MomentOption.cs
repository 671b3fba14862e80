using System.CommandLine;
using System.Globalization;

namespace Fleet.Cli.Audit;

/// <summary>An option that names a moment: ISO 8601, UTC where it says no zone.</summary>
internal static class MomentOption
{
    public static Option<DateTimeOffset?> Create(string name, string description) => new(name)
    {
        HelpName = "TIME",
        Description = $"{description}; such as 2026-05-01T10:00Z, UTC where no zone is given",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var moment))
            {
                return moment;
            }

            result.AddError($"{name} is '{text}'; it must be a time such as 2026-05-01T10:00Z");
            return null;
        },
    };
}
