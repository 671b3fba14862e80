using System.Security.Cryptography;

namespace Fleet.Signing;

/// <summary>
/// An ECDSA key on the curve P-256, P-384 or P-521, public or private. Each signs the SHA-2 digest of its own size (Sigstore protobuf-specs,
/// PublicKeyDetails).
/// </summary>
public sealed class SigningKey : IDisposable
{
    private readonly ECDsa key;
    private readonly HashAlgorithmName hash;

    private SigningKey(ECDsa key)
    {
        this.key = key;
        hash = key.KeySize switch
        {
            256 => HashAlgorithmName.SHA256,
            384 => HashAlgorithmName.SHA384,
            521 => HashAlgorithmName.SHA512,
            _ => throw new SignatureException($"the key has {key.KeySize} bits; a key on P-256, P-384 or P-521 is needed"),
        };
        PublicPem = key.ExportSubjectPublicKeyInfoPem() + "\n";
        Hint = Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(PublicPem)));
    }

    /// <summary>The public key as PEM (SubjectPublicKeyInfo), with a line end after it, as OpenSSL writes it.</summary>
    public string PublicPem { get; }

    /// <summary>What a signature names the key by: SHA-256 of <see cref="PublicPem"/>, 64 hexadecimal digits.</summary>
    public string Hint { get; }

    /// <summary>Reads a PEM file: a public key, or a private one without a password (PKCS #8 or SEC 1).</summary>
    /// <exception cref="SignatureException">It holds no such key.</exception>
    public static SigningKey Read(string path)
    {
        string pem = File.ReadAllText(path);
        try
        {
            return Parse(pem);
        }
        catch (Exception exception) when (exception is ArgumentException or CryptographicException or SignatureException)
        {
            throw new SignatureException(
                pem.Contains("ENCRYPTED", StringComparison.Ordinal)
                    ? $"{path} holds a key with a password; give one without (openssl pkcs8 -topk8 -nocrypt -in KEY)"
                    : $"{path} holds no ECDSA key in PEM form: {exception.Message}",
                exception);
        }
    }

    /// <summary>Reads PEM text. Throws what the framework throws for text that is none.</summary>
    public static SigningKey Parse(string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            return new SigningKey(key);
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    /// <summary>A new private key on P-256.</summary>
    public static SigningKey Generate() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>The private key as PEM (PKCS #8, without a password).</summary>
    /// <exception cref="SignatureException">This is a public key.</exception>
    public string PrivatePem() => Private(() => key.ExportPkcs8PrivateKeyPem() + "\n");

    /// <inheritdoc/>
    public void Dispose() => key.Dispose();

    // DER, as X.509 and Sigstore have it.
    internal byte[] Sign(byte[] data) => Private(() => key.SignData(data, hash, DSASignatureFormat.Rfc3279DerSequence));

    internal bool Verifies(byte[] data, byte[] signature) => key.VerifyData(data, signature, hash, DSASignatureFormat.Rfc3279DerSequence);

    private static T Private<T>(Func<T> use)
    {
        try
        {
            return use();
        }
        catch (CryptographicException exception)
        {
            throw new SignatureException("the key is a public one; the private key is needed", exception);
        }
    }
}
