using System.Text;
using System.Text.Json.Nodes;

namespace Fleet.Signing.Tests;

public sealed class ModelSignatureTests : IDisposable
{
    private const string Alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"; // of "alpha"
    private const string Beta = "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753"; // of "beta"
    private const string AlphaThenBeta = "8450e9a90d144185def662fffc477da5e0325d80be5de388ec20d9c58d6c72d0"; // of the 64 bytes above

    private static readonly SignedFile[] Files = [new("unet/beta.txt", Beta), new("alpha.txt", Alpha)];

    private readonly SigningKey key = SigningKey.Generate();

    public void Dispose() => key.Dispose();

    [Fact]
    public void PreAuthenticationEncoding_IsWhatTheDsseProtocolSays() =>
        Encoding.ASCII.GetString(ModelSignature.PreAuthenticationEncoding("hello"u8.ToArray()))
            .Should().Be("DSSEv1 28 application/vnd.in-toto+json 5 hello");

    [Fact]
    public void Create_HasTheFieldsOfTheFormat()
    {
        var bundle = JsonNode.Parse(ModelSignature.Create("fox", Files, key))!;
        var statement = Payload(bundle);

        bundle["mediaType"]!.GetValue<string>().Should().Be("application/vnd.dev.sigstore.bundle.v0.3+json");
        bundle["verificationMaterial"]!["publicKey"]!["hint"]!.GetValue<string>().Should().Be(key.Hint);
        bundle["dsseEnvelope"]!["payloadType"]!.GetValue<string>().Should().Be("application/vnd.in-toto+json");
        statement["_type"]!.GetValue<string>().Should().Be("https://in-toto.io/Statement/v1");
        statement["predicateType"]!.GetValue<string>().Should().Be("https://model_signing/signature/v1.0");
        statement["subject"]!.ToJsonString().Should().Be($$$"""[{"name":"fox","digest":{"sha256":"{{{AlphaThenBeta}}}"}}]""");
        statement["predicate"]!["resources"]!.ToJsonString().Should().Be(
            $$"""[{"name":"alpha.txt","algorithm":"sha256","digest":"{{Alpha}}"},{"name":"unet/beta.txt","algorithm":"sha256","digest":"{{Beta}}"}]""");
    }

    [Fact]
    public void Create_OrdersFilesFolderByFolder()
    {
        byte[] bundle = ModelSignature.Create("fox", [new("a-b", Alpha), new("a/b", Beta), new("a", Alpha)], key);

        ModelSignature.Parse(bundle).Verify(key).Files.Select(file => file.Path).Should().Equal("a", "a/b", "a-b");
    }

    [Fact]
    public void Verify_OfABundleThatOpenSslSigned_GivesItsFiles()
    {
        using var openssl = SigningKey.Read(Vector("openssl.pub"));

        var statement = ModelSignature.Parse(File.ReadAllBytes(Vector("openssl.sig"))).Verify(openssl);

        statement.Model.Should().Be("fox");
        statement.Differences(Files).Should().BeEmpty();
    }

    [Fact]
    public void Verify_WithAnotherKey_IsRefusedAndNamesBoth()
    {
        using var other = SigningKey.Generate();
        var signature = ModelSignature.Parse(ModelSignature.Create("fox", Files, key));

        var verify = () => signature.Verify(other);

        verify.Should().Throw<SignatureException>().WithMessage($"*another key*{key.Hint}*{other.Hint}*");
    }

    [Fact]
    public void Verify_WithAnotherKeyThatTakesTheHint_IsRefused()
    {
        using var other = SigningKey.Generate();
        var bundle = JsonNode.Parse(ModelSignature.Create("fox", Files, key))!;
        bundle["verificationMaterial"]!["publicKey"]!["hint"] = other.Hint;

        var verify = () => ModelSignature.Parse(Bytes(bundle)).Verify(other);

        verify.Should().Throw<SignatureException>().WithMessage("*does not fit what was signed*");
    }

    [Fact]
    public void Verify_OfAnAlteredPayload_IsRefused()
    {
        var bundle = JsonNode.Parse(ModelSignature.Create("fox", Files, key))!;
        var statement = Payload(bundle);
        statement["subject"]![0]!["name"] = "wolf";
        bundle["dsseEnvelope"]!["payload"] = Convert.ToBase64String(Bytes(statement));

        var verify = () => ModelSignature.Parse(Bytes(bundle)).Verify(key);

        verify.Should().Throw<SignatureException>().WithMessage("*does not fit what was signed*");
    }

    [Theory]
    [InlineData("payloadType", "application/json", "*payloadType is 'application/json'*")]
    [InlineData("payload", "%%%", "*payload is not base64*")]
    public void Parse_OfAnotherEnvelope_NamesTheField(string field, string value, string fault)
    {
        var bundle = JsonNode.Parse(ModelSignature.Create("fox", Files, key))!;
        bundle["dsseEnvelope"]![field] = value;

        var parse = () => ModelSignature.Parse(Bytes(bundle));

        parse.Should().Throw<SignatureException>().WithMessage(fault);
    }

    [Fact]
    public void Parse_OfABundleCutAtAnyByte_IsRefused()
    {
        byte[] bundle = ModelSignature.Create("fox", Files, key);

        for (int length = 0; length < bundle.Length; length++)
        {
            var parse = () => ModelSignature.Parse(bundle[..length]);
            parse.Should().Throw<SignatureException>();
        }
    }

    [Fact]
    public void Parse_OfABundleWithAFieldTwice_IsRefused()
    {
        string bundle = Encoding.UTF8.GetString(ModelSignature.Create("fox", Files, key));

        var parse = () => ModelSignature.Parse(Encoding.UTF8.GetBytes(bundle.Replace("\"payloadType\"", "\"payload\":\"aGk=\",\"payloadType\"")));

        parse.Should().Throw<SignatureException>().WithMessage("the bundle is not valid JSON*");
    }

    [Fact]
    public void Differences_OfChangedAddedAndRemovedFiles_NamesEach()
    {
        var statement = ModelSignature.Parse(ModelSignature.Create("fox", Files, key)).Verify(key);

        statement.Differences([new("alpha.txt", Beta), new("gamma.txt", Alpha)]).Should().BeEquivalentTo(
            "unet/beta.txt is signed and missing",
            "gamma.txt is not signed",
            $"alpha.txt is not what was signed: it has the SHA-256 {Beta}, and {Alpha} was signed");
    }

    private static JsonNode Payload(JsonNode bundle) =>
        JsonNode.Parse(Convert.FromBase64String(bundle["dsseEnvelope"]!["payload"]!.GetValue<string>()))!;

    private static byte[] Bytes(JsonNode json) => Encoding.UTF8.GetBytes(json.ToJsonString());

    private static string Vector(string name) => Path.Combine(AppContext.BaseDirectory, "Vectors", name);
}
