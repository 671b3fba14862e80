namespace Fleet.Registry.Access;

internal sealed class AccessOptions
{
    public const string Section = "Registry:Access";

    /// <summary>Who may call. Neither tokens nor a file: everybody may do everything.</summary>
    public IList<AccessToken> Tokens { get; set; } = [];

    /// <summary>A JSON file with more of them, an array of objects with the same keys. Read when the process starts.</summary>
    public string TokensFile { get; set; } = "";
}
