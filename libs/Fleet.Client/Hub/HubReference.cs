using System.Text.RegularExpressions;

namespace Fleet.Client.Hub;

/// <summary>
/// What to import from a hub: <c>hf://org/name[@revision][/path]</c>. The revision is a branch, a tag, a commit or <c>refs/pr/N</c>; the path is a folder
/// or a file of the repository.
/// </summary>
public sealed partial record HubReference(string Repository, string Revision, string Path)
{
    /// <summary>What every such reference begins with.</summary>
    public const string Scheme = "hf://";

    /// <summary>Reads a reference; null when it is not of that form.</summary>
    public static HubReference? TryParse(string text)
    {
        var match = Form().Match(text);
        return match.Success && !match.Groups["path"].Value.Split('/').Any(part => part is "." or "..")
            ? new HubReference(
                match.Groups["repository"].Value,
                match.Groups["revision"].Success ? match.Groups["revision"].Value : "main",
                match.Groups["path"].Value.TrimEnd('/'))
            : null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Scheme}{Repository}@{Revision}{(Path == "" ? "" : "/" + Path)}";

    [GeneratedRegex(@"^hf://(?<repository>[\w.-]+/[\w.-]+)(@(?<revision>refs/(pr|convert)/[\w.-]+|[^/@]+))?(/(?<path>.*))?$")]
    private static partial Regex Form();
}
