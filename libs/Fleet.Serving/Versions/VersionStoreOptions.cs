using System.ComponentModel.DataAnnotations;

namespace Fleet.Serving.Versions;

/// <summary>Where a service keeps the files of versions.</summary>
public sealed class VersionStoreOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Store";

    /// <summary>The folder, which several services of a machine may share.</summary>
    [Required]
    public string Path { get; set; } = System.IO.Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "fleet", "store");
}

/// <summary>Where the registry is.</summary>
public sealed class RegistryAddressOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Registry";

    /// <summary>The address, for example "http://127.0.0.1:5100".</summary>
    [Required]
    [Url]
    public string Address { get; set; } = "";
}
