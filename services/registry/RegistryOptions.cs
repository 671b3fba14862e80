using System.ComponentModel.DataAnnotations;

namespace Fleet.Registry;

internal sealed class RegistryOptions
{
    public const string Section = "Registry";

    /// <summary>The folder that holds the database and the blobs.</summary>
    [Required]
    public string DataPath { get; set; } = Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "fleet", "registry");

    /// <summary>Connection string of a PostgreSQL database. Empty: a SQLite file in <see cref="DataPath"/>.</summary>
    public string Database { get; set; } = "";
}
