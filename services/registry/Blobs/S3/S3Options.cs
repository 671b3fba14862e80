using System.ComponentModel.DataAnnotations;

namespace Fleet.Registry.Blobs.S3;

internal sealed class S3Options : IValidatableObject
{
    public const string Section = "Registry:S3";

    /// <summary>Address of an S3-compatible store. Empty: Amazon's, of <see cref="Region"/>.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>Region that requests are signed for.</summary>
    [Required]
    public string Region { get; set; } = "us-east-1";

    /// <summary>Whether the bucket's name goes into the path instead of the host name, as most stores other than Amazon's want it.</summary>
    public bool ForcePathStyle { get; set; }

    /// <summary>Access key. Empty with <see cref="AccessKeyFile"/> empty too: from the environment, as the AWS SDK looks for it.</summary>
    public string AccessKey { get; set; } = "";

    /// <summary>Secret key that belongs to <see cref="AccessKey"/>.</summary>
    public string SecretKey { get; set; } = "";

    /// <summary>File that holds the access key.</summary>
    public string AccessKeyFile { get; set; } = "";

    /// <summary>File that holds the secret key.</summary>
    public string SecretKeyFile { get; set; } = "";

    /// <summary>Bytes from which on a blob is put in several parts, and bytes of a part. S3 takes 5 MiB at least and 10,000 parts.</summary>
    [Range(5L << 20, 5L << 30)]
    public long PartBytes { get; set; } = 32L << 20;

    /// <summary>Access and secret key; empty when neither is configured.</summary>
    public (string Access, string Secret) Keys() => (Read(AccessKey, AccessKeyFile), Read(SecretKey, SecretKeyFile));

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if ((AccessKey + AccessKeyFile == "") != (SecretKey + SecretKeyFile == ""))
        {
            yield return new ValidationResult($"{Section} has only one of the access key and the secret key; give both or neither.");
        }

        if (Endpoint != "" && !(Uri.TryCreate(Endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
        {
            yield return new ValidationResult($"{Section}:Endpoint must be an http or https address.");
        }
    }

    private static string Read(string value, string file) => value != "" || file == "" ? value : File.ReadAllText(file).Trim();
}
