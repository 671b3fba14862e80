using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Access;

/// <summary>The tokens that the registry knows.</summary>
internal sealed class AccessTokens
{
    private readonly List<(byte[] Sha256, Actor Actor)> known = [];

    public AccessTokens(IOptions<AccessOptions> options)
    {
        foreach (var token in options.Value.Tokens.Concat(ReadFile(options.Value.TokensFile)))
        {
            known.Add((Parse(token), ActorOf(token)));
        }

        Require(known.DistinctBy(token => token.Actor.Name).Count() == known.Count, "two tokens have the same name");
        Require(known.DistinctBy(token => Convert.ToHexString(token.Sha256)).Count() == known.Count, "two tokens have the same digest");
    }

    /// <summary>Who sends this value of the header "authorization".</summary>
    public Actor Identify(string? authorization)
    {
        const string Scheme = "Bearer ";
        if (known.Count == 0)
        {
            return Actor.Anonymous;
        }

        if (authorization?.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) != true)
        {
            throw new UnauthenticatedException("this registry asks for a token: send it as 'authorization: Bearer TOKEN'");
        }

        // All are compared, in constant time each, so that the time to answer says nothing about the tokens.
        byte[] sha256 = SHA256.HashData(Encoding.UTF8.GetBytes(authorization[Scheme.Length..].Trim()));
        Actor? found = null;
        foreach (var token in known)
        {
            found = CryptographicOperations.FixedTimeEquals(token.Sha256, sha256) ? token.Actor : found;
        }

        return found ?? throw new UnauthenticatedException("this registry does not know the token");
    }

    private static List<AccessToken> ReadFile(string path)
    {
        try
        {
            return path == "" ? [] : JsonSerializer.Deserialize<List<AccessToken>>(File.ReadAllText(path), JsonSerializerOptions.Web) ?? [];
        }
        catch (JsonException exception)
        {
            throw new OptionsValidationException(AccessOptions.Section, typeof(AccessOptions), [$"TokensFile {path}: {exception.Message}"]);
        }
    }

    private static byte[] Parse(AccessToken token)
    {
        bool valid = Digest.TryParseHex(token.Sha256, out var digest);
        Require(valid, $"token '{token.Name}': Sha256 is '{token.Sha256}'; give 64 hexadecimal digits");
        return Convert.FromHexString(digest.Hex);
    }

    private static Actor ActorOf(AccessToken token)
    {
        Require(token.Name.Length is > 0 and <= 100, $"a token's Name has {token.Name.Length} characters; give 1 to 100");
        bool isRole = RoleNames.ByName.TryGetValue(token.Role, out var role);
        Require(isRole, $"token '{token.Name}': Role is '{token.Role}'; give reader, publisher or operator");
        Require(role != Role.Reader || token.Namespaces.Count == 0, $"token '{token.Name}': a reader reads everything; leave Namespaces out");
        return new Actor(token.Name, role) { Namespaces = [.. token.Namespaces] };
    }

    private static void Require(bool condition, string fault)
    {
        if (!condition)
        {
            throw new OptionsValidationException(AccessOptions.Section, typeof(AccessOptions), [$"{AccessOptions.Section}: {fault}."]);
        }
    }
}
