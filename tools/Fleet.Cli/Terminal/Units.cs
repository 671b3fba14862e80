using System.Globalization;

namespace Fleet.Cli.Terminal;

/// <summary>Quantities as people read them.</summary>
internal static class Units
{
    public static string Bytes(long bytes)
    {
        string[] names = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < names.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return unit == 0 ? $"{bytes} B" : $"{value:0.0} {names[unit]}";
    }

    /// <summary>The bytes that a text such as "500GiB" or "1024" says; null for any other.</summary>
    public static long? ParseBytes(string text)
    {
        string[] units = ["KiB", "MiB", "GiB", "TiB"];
        int unit = Array.FindIndex(units, name => text.EndsWith(name, StringComparison.OrdinalIgnoreCase));
        string number = unit < 0 ? text : text[..^3];
        return double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value < 1e6 * Math.Pow(1024, 3)
            ? (long)(value * Math.Pow(1024, unit + 1))
            : null;
    }

    public static string Duration(TimeSpan time) => time.TotalSeconds switch
    {
        < 0.1 => $"{time.TotalMilliseconds:0} ms",
        < 60 => $"{time.TotalSeconds:0.0} s",
        < 3600 => $"{(int)time.TotalMinutes}:{time.Seconds:00} min",
        _ => $"{(int)time.TotalHours}:{time.Minutes:00} h",
    };

    public static string Count(long number) => number switch
    {
        >= 1_000_000_000 => $"{number / 1e9:0.00} billion",
        >= 1_000_000 => $"{number / 1e6:0.0} million",
        >= 10_000 => $"{number / 1e3:0.0} thousand",
        _ => $"{number}",
    };
}
