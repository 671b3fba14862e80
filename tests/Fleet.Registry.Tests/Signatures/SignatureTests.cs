using Fleet.Contracts.Registry.V1;
using Fleet.Signing;
using Grpc.Core;

namespace Fleet.Registry.Tests.Signatures;

public sealed class SignatureTests() : SigningRegistryTest(required: false)
{
    private const string Nowhere = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    [Fact]
    public async Task AddSignature_OfATrustedKey_NamesTheKey()
    {
        var (version, manifest) = await PublishAsync();

        var added = await Client.AddSignatureAsync(version, Sign(manifest, Studio), Cancellation);

        added.TrustedKey.Should().Be("studio");
        (await Client.ListSignaturesAsync(version, Cancellation)).Should().Equal(added);
        (await Client.ResolveAsync(version, Cancellation)).Signatures.Should().Be(1);
    }

    [Fact]
    public async Task AddSignature_OfAnUnknownKey_IsKeptWithoutAName()
    {
        var (version, manifest) = await PublishAsync();

        (await Client.AddSignatureAsync(version, Sign(manifest, Stranger), Cancellation)).TrustedKey.Should().BeEmpty();
    }

    [Fact]
    public async Task AddSignature_Again_KeepsOne()
    {
        var (version, manifest) = await PublishAsync();
        byte[] bundle = Sign(manifest, Studio);

        var first = await Client.AddSignatureAsync(version, bundle, Cancellation);
        var second = await Client.AddSignatureAsync(version, bundle, Cancellation);

        second.Should().Be(first);
        (await Client.ListSignaturesAsync(version, Cancellation)).Should().ContainSingle();
    }

    [Theory]
    [InlineData("changed", "*unet/config.json is not what was signed*")]
    [InlineData("added", "*unet/config.json is not signed*")]
    [InlineData("removed", "*extra.txt is signed and missing*")]
    public async Task AddSignature_OfOtherFiles_IsRefusedAndNamesOne(string difference, string fault)
    {
        var (version, manifest) = await PublishAsync();
        var files = FilesOf(manifest).ToList();
        int config = files.FindIndex(file => file.Path == "unet/config.json");
        List<SignedFile> signed = difference switch
        {
            "changed" => [.. files[..config], files[config] with { Sha256 = new string('0', 64) }, .. files[(config + 1)..]],
            "added" => [.. files[..config], .. files[(config + 1)..]],
            _ => [.. files, new SignedFile("extra.txt", new string('0', 64))],
        };

        var add = () => Client.AddSignatureAsync(version, ModelSignature.Create("tiny", signed, Studio), Cancellation);

        (await add.Should().ThrowAsync<RpcException>().WithMessage(fault)).Which.StatusCode.Should().Be(StatusCode.InvalidArgument);
    }

    [Fact]
    public async Task AddSignature_CutShort_IsRefused()
    {
        var (version, manifest) = await PublishAsync();

        var add = () => Client.AddSignatureAsync(version, Sign(manifest, Studio)[..^10], Cancellation);

        (await add.Should().ThrowAsync<RpcException>().WithMessage("*bundle*not valid JSON*")).Which.StatusCode.Should().Be(StatusCode.InvalidArgument);
    }

    [Fact]
    public async Task AddSignature_ToAVersionThatThereIsNot_IsNotFound()
    {
        var add = () => Client.AddSignatureAsync(Nowhere, [1], Cancellation);

        (await add.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.NotFound);
    }

    [Fact]
    public async Task ListSignatures_AfterARestart_GivesTheSame()
    {
        var (version, manifest) = await PublishAsync();
        var added = await Client.AddSignatureAsync(version, Sign(manifest, Studio), Cancellation);

        await RestartAsync();

        (await Client.ListSignaturesAsync(version, Cancellation)).Should().Equal(added);
    }

    private async Task<(string Version, Manifest Manifest)> PublishAsync()
    {
        string digest = (await PushAsync(Golden("models", "sd1"))).Version.Digest;
        return (digest, await Client.GetManifestAsync(digest, Cancellation));
    }
}
