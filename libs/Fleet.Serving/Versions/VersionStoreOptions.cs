using System.ComponentModel.DataAnnotations;

namespace Fleet.Serving.Versions;

/// <summary>Where a service keeps the parts of versions.</summary>
public sealed class VersionStoreOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Store";

    /// <summary>The folder, which several services of a machine may share.</summary>
    [Required]
    public string Path { get; set; } = System.IO.Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "fleet", "store");

    /// <summary>Bytes that the parts may take; versions that were unused for longest make room. 0: no limit.</summary>
    [Range(0, long.MaxValue)]
    public long MaxBytes { get; set; }
}

/// <summary>Where the registry is, and the token that it knows this service by.</summary>
public sealed class RegistryAddressOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Registry";

    /// <summary>The address, for example "http://127.0.0.1:5100".</summary>
    [Required]
    [Url]
    public string Address { get; set; } = "";

    /// <summary>The token. Empty: that of <see cref="TokenFile"/>, or none.</summary>
    public string Token { get; set; } = "";

    /// <summary>A file that holds the token. Empty: none.</summary>
    public string TokenFile { get; set; } = "";

    /// <summary>The token to send; empty for none.</summary>
    public string ReadToken() => Token != "" || TokenFile == "" ? Token : File.ReadAllText(TokenFile).Trim();
}
