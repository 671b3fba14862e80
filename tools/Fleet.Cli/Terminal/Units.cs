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
