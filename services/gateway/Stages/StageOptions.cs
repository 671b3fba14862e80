using System.ComponentModel.DataAnnotations;

namespace Fleet.Gateway.Stages;

/// <summary>Addresses of the services behind the gateway, for example <c>http://localhost:5001</c>.</summary>
internal sealed class StageOptions
{
    public const string Section = "Stages";

    [Required]
    public required Uri Encoder { get; init; }

    [Required]
    public required Uri Denoiser { get; init; }

    [Required]
    public required Uri Decoder { get; init; }

    [Required]
    public required Uri Registry { get; init; }

    /// <summary>Token that the registry knows the gateway by. Empty: none is sent.</summary>
    public string RegistryToken { get; init; } = "";

    /// <summary>File with the token, for those who keep secrets in files.</summary>
    public string RegistryTokenFile { get; init; } = "";
}
