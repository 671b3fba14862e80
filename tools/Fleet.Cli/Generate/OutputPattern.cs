using System.Text.RegularExpressions;

namespace Fleet.Cli.Generate;

/// <summary>The values that an output pattern may name.</summary>
internal sealed record PictureFacts(string Model, string Version, string Id, int Index, long Seed, int Width, int Height, int Steps);

/// <summary>
/// The path of each picture: text with placeholders such as <c>{seed}</c>. Several pictures whose pattern tells them not
/// apart get their index before the extension.
/// </summary>
internal sealed partial class OutputPattern
{
    public const string Placeholders = "{seed} {index} {model} {version} {id} {width} {height} {steps}";

    private readonly string pattern;

    private OutputPattern(string pattern, bool replaceExisting)
    {
        this.pattern = pattern;
        ReplaceExisting = replaceExisting;
    }

    /// <summary>Without a pattern, pictures are named by their seed and nothing that exists is replaced.</summary>
    public static OutputPattern Parse(string? pattern, int count, bool keepExisting)
    {
        if (pattern is null)
        {
            return new OutputPattern("fleet-{seed}.png", replaceExisting: false);
        }

        foreach (Match placeholder in Placeholder().Matches(pattern))
        {
            if (!Placeholders.Split(' ').Contains(placeholder.Value))
            {
                throw new CommandException(
                    ExitCode.BadInput, $"--output has the placeholder {placeholder.Value}", $"there are {Placeholders}");
            }
        }

        if (Directory.Exists(pattern) || pattern.EndsWith('/') || pattern.EndsWith(Path.DirectorySeparatorChar))
        {
            return new OutputPattern(Path.Combine(pattern, "fleet-{seed}.png"), replaceExisting: false);
        }

        bool tellsApart = pattern.Contains("{seed}", StringComparison.Ordinal) || pattern.Contains("{index}", StringComparison.Ordinal);
        return new OutputPattern(count > 1 && !tellsApart ? WithIndex(pattern) : pattern, replaceExisting: !keepExisting);
    }

    /// <summary>Whether a file that exists makes way.</summary>
    public bool ReplaceExisting { get; }

    /// <summary>Where a picture goes.</summary>
    public string PathOf(PictureFacts picture) => Placeholder().Replace(pattern, match => match.Value switch
    {
        "{seed}" => $"{picture.Seed}",
        "{index}" => $"{picture.Index}",
        "{model}" => picture.Model.Replace('/', '-'),
        "{version}" => picture.Version.Replace("sha256:", "", StringComparison.Ordinal)[..12],
        "{id}" => picture.Id.Replace(':', '-'),
        "{width}" => $"{picture.Width}",
        "{height}" => $"{picture.Height}",
        _ => $"{picture.Steps}",
    });

    private static string WithIndex(string pattern) => Path.ChangeExtension(pattern, null) + "-{index}" + Path.GetExtension(pattern);

    [GeneratedRegex(@"\{[^{}]*\}")]
    private static partial Regex Placeholder();
}
