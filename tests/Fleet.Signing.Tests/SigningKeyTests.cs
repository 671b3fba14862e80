using System.Security.Cryptography;

namespace Fleet.Signing.Tests;

public sealed class SigningKeyTests
{
    [Theory]
    [InlineData("nistP256")]
    [InlineData("nistP384")]
    [InlineData("nistP521")]
    public void Verify_WithThePublicHalf_AcceptsWhatThePrivateHalfSigned(string curve)
    {
        using var pair = ECDsa.Create(ECCurve.CreateFromFriendlyName(curve));
        using var signing = SigningKey.Parse(pair.ExportECPrivateKeyPem());
        using var verifying = SigningKey.Parse(pair.ExportSubjectPublicKeyInfoPem());

        byte[] bundle = ModelSignature.Create("fox", [new("a", new string('0', 64))], signing);

        ModelSignature.Parse(bundle).Verify(verifying).Model.Should().Be("fox");
        verifying.Hint.Should().Be(signing.Hint);
    }

    [Fact]
    public void Hint_IsTheDigestOfThePemFileThatOpenSslWrites()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "Vectors", "openssl.pub");

        using var key = SigningKey.Read(path);

        key.Hint.Should().Be("6d2a52ca65aeae7df8607f510316dc1f0e7eee06645652b4d2fea7ba1423f5f9"); // sha256sum openssl.pub
        key.PublicPem.Should().Be(File.ReadAllText(path));
    }

    [Fact]
    public void Create_WithAPublicKey_SaysThatThePrivateOneIsNeeded()
    {
        using var pair = SigningKey.Generate();
        using var verifying = SigningKey.Parse(pair.PublicPem);

        var sign = () => ModelSignature.Create("fox", [], verifying);

        sign.Should().Throw<SignatureException>().WithMessage("*private key is needed*");
    }

    [Fact]
    public void Read_OfAnRsaKey_IsRefused()
    {
        string path = Path.GetTempFileName();
        using var rsa = RSA.Create(2048);

        File.WriteAllText(path, rsa.ExportRSAPublicKeyPem());
        var read = () => SigningKey.Read(path);

        read.Should().Throw<SignatureException>().WithMessage($"{path} holds no ECDSA key*");
        File.Delete(path);
    }

    [Fact]
    public void Read_OfAKeyWithAPassword_SaysHowToGetOneWithout()
    {
        string path = Path.GetTempFileName();
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(path, pair.ExportEncryptedPkcs8PrivateKeyPem("secret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));

        var read = () => SigningKey.Read(path);

        read.Should().Throw<SignatureException>().WithMessage("*with a password*-nocrypt*");
        File.Delete(path);
    }
}
