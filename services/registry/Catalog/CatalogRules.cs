using System.Text.RegularExpressions;
using Fleet.Contracts.Registry;
using Fleet.Hosting;

namespace Fleet.Registry.Catalog;

/// <summary>Checks of names that requests about versions share; the limits are those of registry.proto.</summary>
internal static partial class CatalogRules
{
    public static string Model(string field, string value) => value.Length <= 100 && ModelName().IsMatch(value)
        ? value
        : throw new InvalidRequestException(
            field, value, "give a model name of 1 to 100 characters of a-z, 0-9, '.', '_' and '-', its parts separated by '/'");

    public static string OptionalModel(string field, string value) => value == "" ? "" : Model(field, value);

    public static string Alias(string field, string value) => AliasName().IsMatch(value)
        ? value
        : throw new InvalidRequestException(field, value, "give an alias of 1 to 64 characters of a-z, 0-9, '.', '_' and '-'");

    public static string Namespace(string field, string value) => value.Contains('/', StringComparison.Ordinal)
        ? throw new InvalidRequestException(field, value, "give the first part of model names, without '/'")
        : Model(field, value);

    public static Digest Version(string field, string value)
    {
        _ = RequestRules.VersionDigest(value, field);
        return Digest.TryParseVersion(value, out var digest) ? digest : throw new InvalidOperationException(value);
    }

    [GeneratedRegex(@"^[a-z0-9._-]+(/[a-z0-9._-]+)*\z")]
    private static partial Regex ModelName();

    [GeneratedRegex(@"^[a-z0-9._-]{1,64}\z")]
    private static partial Regex AliasName();
}
