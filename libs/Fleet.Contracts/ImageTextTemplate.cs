using System.Globalization;
using System.Text.RegularExpressions;

namespace Fleet.Contracts;

/// <summary>The templated form of <c>decoder.v1.ImageText</c>: what its writer and its reader must agree on.</summary>
public static partial class ImageTextTemplate
{
    /// <summary>What is replaced by the picture's own seed.</summary>
    public const string Seed = "{seed}";

    /// <summary>What is replaced by the picture's index.</summary>
    public const string Index = "{index}";

    /// <summary>The template that expands to <paramref name="text"/> itself, whatever braces it holds.</summary>
    public static string Escape(string text) => Placeholder().Replace(text, "{$0");

    /// <summary>The text of one picture.</summary>
    public static string Expand(string template, long seed, int index) => Placeholder().Replace(template, match =>
        match.Groups["braces"].Length > 1 ? match.Value[1..]
        : match.Groups["name"].ValueSpan is "seed" ? seed.ToString(CultureInfo.InvariantCulture)
        : index.ToString(CultureInfo.InvariantCulture));

    [GeneratedRegex(@"(?<braces>\{+)(?<name>seed|index)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();
}
