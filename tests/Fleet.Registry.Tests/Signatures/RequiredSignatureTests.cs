using Fleet.Client.Registry;
using Fleet.Signing;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Tests.Signatures;

public sealed class RequiredSignatureTests() : SigningRegistryTest(required: true)
{
    [Fact]
    public async Task Publish_Unsigned_IsRefusedAndLeavesNothing()
    {
        var push = () => PushAsync(Golden("models", "sd1"));

        (await push.Should().ThrowAsync<RpcException>().WithMessage("*no signature of a trusted key (studio)*"))
            .Which.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        (await Client.ListAsync("", Cancellation).ToListAsync(Cancellation)).Should().BeEmpty();
    }

    [Fact]
    public async Task Publish_SignedByAStranger_IsRefused()
    {
        var push = () => PushSignedAsync(Stranger);

        (await push.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.FailedPrecondition);
    }

    [Fact]
    public async Task Publish_SignedByATrustedKey_Succeeds()
    {
        var pushed = await PushSignedAsync(Studio, "stable");

        pushed.Version.Signatures.Should().Be(1);
        pushed.Version.Aliases.Should().Equal("stable");
        (await PushAsync(Golden("models", "sd1"))).Created.Should().BeFalse("its signature is there already");
    }

    [Fact]
    public async Task SetAlias_ToAVersionFromBeforeThePolicy_IsRefusedForStableOnly()
    {
        await Running.DisposeAsync();
        string unsigned;
        await using (var trusting = await RunningRegistry.StartAsync(DataPath))
        {
            unsigned = (await trusting.Client.PushAsync(Golden("models", "sd1"), "tiny", cancellationToken: Cancellation)).Version.Digest;
        }

        await RestartAsync();
        await Client.SetAliasAsync("tiny", "canary", unsigned, cancellationToken: Cancellation);
        var toStable = () => Client.SetAliasAsync("tiny", "stable", unsigned, cancellationToken: Cancellation);

        (await toStable.Should().ThrowAsync<RpcException>()).Which.StatusCode.Should().Be(StatusCode.FailedPrecondition);
        await Client.AddSignatureAsync(unsigned, Sign(await Client.GetManifestAsync(unsigned, Cancellation), Studio), Cancellation);
        (await toStable()).Version.Should().Be(unsigned);
    }

    [Fact]
    public void Start_WithoutAKeyToTrust_IsRefused()
    {
        var create = () => RegistryHost.Create($"--Registry:DataPath={Folder["other"]}", "--Registry:Signatures:Required=true");

        create.Should().Throw<OptionsValidationException>().WithMessage("*no key that they could be of*");
    }

    private Task<PushResult> PushSignedAsync(SigningKey key, params string[] aliases) => Client.PushAsync(
        new ModelPush(Golden("models", "sd1"), "tiny") { Aliases = aliases, Sign = manifest => Sign(manifest, key) }, cancellationToken: Cancellation);
}
