using System.ComponentModel.DataAnnotations;

namespace Fleet.Registry.Blobs;

internal sealed class BlobOptions
{
    public const string Section = RegistryOptions.Section;

    /// <summary>Where blobs lie: "s3://bucket/prefix". Empty: the folder blobs in Registry:DataPath.</summary>
    [RegularExpression(@"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?$", ErrorMessage = "Registry:Blobs must be empty or s3://BUCKET/PREFIX.")]
    public string Blobs { get; set; } = "";
}
