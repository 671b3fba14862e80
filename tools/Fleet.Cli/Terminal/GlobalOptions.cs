using System.CommandLine;
using System.CommandLine.Parsing;

namespace Fleet.Cli.Terminal;

/// <summary>Options that every command takes.</summary>
internal static class GlobalOptions
{
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Write events to standard output, one JSON object a line (docs/cli.md lists them)",
        Recursive = true,
    };

    public static readonly Option<bool> Quiet = new("--quiet", "-q")
    {
        Description = "Write results and errors only",
        Recursive = true,
    };

    public static readonly Option<bool> Verbose = new("--verbose")
    {
        Description = "Write the services' logs, and details of failures, to standard error",
        Recursive = true,
    };

    public static Output Output(this ParseResult parsed) => new(
        parsed.GetValue(Json) ? OutputMode.Json : parsed.GetValue(Quiet) ? OutputMode.Quiet : OutputMode.Normal,
        parsed.GetValue(Verbose));
}

/// <summary>Options whose values are parsed here, so that a wrong one is answered with what would be right.</summary>
internal static class ValueOption
{
    public static Option<int?> Integer(string name, string helpName, string description, params string[] aliases) =>
        Create<int?>(name, aliases, helpName, description, "a whole number", text => int.TryParse(text, out int value) ? value : null);

    public static Option<long?> Long(string name, string helpName, string description, params string[] aliases) =>
        Create<long?>(name, aliases, helpName, description, "a whole number", text => long.TryParse(text, out long value) ? value : null);

    public static Option<double?> Number(string name, string helpName, string description, params string[] aliases) =>
        Create<double?>(name, aliases, helpName, description, "a number", text => double.TryParse(text, out double value) ? value : null);

    public static Option<(int Width, int Height)?> Size(string name, string description) =>
        Create(name, [], "WxH", description, "WIDTHxHEIGHT or one number, such as 512x768", ParseSize);

    public static Option<string?> Text(string name, string helpName, string description, params string[] aliases) =>
        new(name, aliases) { HelpName = helpName, Description = description };

    private static (int Width, int Height)? ParseSize(string text)
    {
        string[] sides = text.Split('x', 'X', '×');
        return sides.Length is 1 or 2 && int.TryParse(sides[0], out int width) && int.TryParse(sides[^1], out int height)
            ? (width, height)
            : null;
    }

    private static Option<T?> Create<T>(
        string name, string[] aliases, string helpName, string description, string wanted, Func<string, T?> parse) => new(name, aliases)
        {
            HelpName = helpName,
            Description = description,
            CustomParser = result => Parse(result, name, wanted, parse),
        };

    private static T? Parse<T>(ArgumentResult result, string name, string wanted, Func<string, T?> parse)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        var value = parse(text);
        if (value is null)
        {
            result.AddError($"{name} is '{text}'; it must be {wanted}");
        }

        return value;
    }
}
