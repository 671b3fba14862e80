using Fleet.Contracts.Registry.V1;
using Fleet.Signing;

namespace Fleet.Registry.Tests.Signatures;

/// <summary>A registry that trusts one key, named studio, and may require its signatures.</summary>
public abstract class SigningRegistryTest(bool required) : RegistryTest
{
    private protected SigningKey Studio { get; } = SigningKey.Generate();

    private protected SigningKey Stranger { get; } = SigningKey.Generate();

    private protected override IEnumerable<string> Settings
    {
        get
        {
            File.WriteAllText(Folder["studio.pub"], Studio.PublicPem);
            return [$"--Registry:Signatures:TrustedKeys:studio={Folder["studio.pub"]}", $"--Registry:Signatures:Required={required}"];
        }
    }

    private protected static byte[] Sign(Manifest manifest, SigningKey key) => ModelSignature.Create("tiny", FilesOf(manifest), key);

    private protected static IEnumerable<SignedFile> FilesOf(Manifest manifest) =>
        manifest.Files.Select(file => new SignedFile(file.Path, Convert.ToHexStringLower(file.Sha256.Span)));
}
