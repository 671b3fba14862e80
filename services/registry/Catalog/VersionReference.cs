using Fleet.Contracts.Registry;
using Fleet.Hosting;

namespace Fleet.Registry.Catalog;

/// <summary>What Resolve is asked for: a model, its alias, or a digest or the beginning of one; see registry.proto.</summary>
internal sealed record VersionReference(string Model, string Alias, string DigestPrefix)
{
    /// <summary>The alias that a model's name alone means, where it exists.</summary>
    public const string DefaultAlias = "stable";

    private const int FewestDigits = 12;

    public static VersionReference Parse(string reference)
    {
        if (reference.StartsWith(Digest.VersionPrefix, StringComparison.Ordinal))
        {
            return new VersionReference("", "", ParseDigest(reference));
        }

        int at = reference.IndexOf('@', StringComparison.Ordinal);
        string model = CatalogRules.Model("reference", at < 0 ? reference : reference[..at]);
        string rest = at < 0 ? "" : reference[(at + 1)..];
        return rest.StartsWith(Digest.VersionPrefix, StringComparison.Ordinal)
            ? new VersionReference(model, "", ParseDigest(rest))
            : new VersionReference(model, at < 0 ? "" : CatalogRules.Alias("reference", rest), "");
    }

    private static string ParseDigest(string text)
    {
        string digits = text[Digest.VersionPrefix.Length..].ToLowerInvariant();
        return digits.Length is >= FewestDigits and <= 2 * Digest.Bytes && digits.All(char.IsAsciiHexDigit)
            ? digits
            : throw new InvalidRequestException("reference", text, $"give 'sha256:' and {FewestDigits} to {2 * Digest.Bytes} hexadecimal digits");
    }
}
