using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Signing;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Signatures;

/// <summary>Judges bundles by the keys that the configuration trusts.</summary>
internal sealed class SignatureChecks : IDisposable
{
    private const int ShownDifferences = 5;

    private readonly List<(string Name, SigningKey Key)> trusted = [];

    public SignatureChecks(IOptions<SignatureOptions> options)
    {
        foreach (var (name, path) in options.Value.TrustedKeys)
        {
            trusted.Add((name, SigningKey.Read(path)));
        }
    }

    public IEnumerable<string> TrustedNames => trusted.Select(key => key.Name);

    /// <summary>
    /// A bundle that someone gives for a version. It must list exactly the version's files, and one that names a trusted key must be of that key.
    /// </summary>
    public CheckedSignature Check(byte[] bundle, Manifest manifest, string field)
    {
        try
        {
            var signature = ModelSignature.Parse(bundle);
            var key = trusted.FirstOrDefault(candidate => candidate.Key.Hint == signature.KeyHint);
            var statement = key.Key is null ? signature.ReadUnverified() : signature.Verify(key.Key);
            var differences = statement.Differences(FilesOf(manifest));
            return differences.Count == 0
                ? new CheckedSignature(bundle, signature.KeyHint, key.Name ?? "")
                : throw new InvalidRequestException(
                    field, string.Join("; ", differences.Take(ShownDifferences)), "give a signature of exactly the version's files");
        }
        catch (SignatureException exception)
        {
            throw new InvalidRequestException(field, exception.Message, "give a Sigstore bundle of model signing v1.0");
        }
    }

    /// <summary>A stored bundle, judged by the keys that are trusted now.</summary>
    public CheckedSignature Judge(byte[] bundle, long addedAt)
    {
        var signature = ModelSignature.Parse(bundle);
        string signer = trusted.FirstOrDefault(candidate => IsOf(signature, candidate.Key)).Name ?? "";
        return new CheckedSignature(bundle, signature.KeyHint, signer, addedAt);
    }

    public void Dispose() => trusted.ForEach(key => key.Key.Dispose());

    private static bool IsOf(ModelSignature signature, SigningKey key)
    {
        try
        {
            _ = signature.Verify(key);
            return true;
        }
        catch (SignatureException)
        {
            return false;
        }
    }

    private static IEnumerable<SignedFile> FilesOf(Manifest manifest) =>
        manifest.Files.Select(file => new SignedFile(file.Path, Convert.ToHexStringLower(file.Sha256.Span)));
}
