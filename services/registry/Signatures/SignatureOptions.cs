using System.ComponentModel.DataAnnotations;

namespace Fleet.Registry.Signatures;

internal sealed class SignatureOptions : IValidatableObject
{
    public const string Section = "Registry:Signatures";

    /// <summary>Keys whose signatures are trusted: a name for each, and the path of its PEM file.</summary>
    public Dictionary<string, string> TrustedKeys { get; } = [];

    /// <summary>Refuse to publish a version, to point "stable" at one or to begin a rollout of one without a signature of a trusted key.</summary>
    public bool Required { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Required && TrustedKeys.Count == 0)
        {
            yield return new ValidationResult(
                $"{Section}:Required asks for signatures and there is no key that they could be of; name one with {Section}:TrustedKeys:NAME=PATH");
        }
    }
}
