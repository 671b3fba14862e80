using System.Text;
using System.Text.Json.Nodes;

namespace Fleet.Signing.Tests;

/// <summary>Statements that were signed by the right key and still say something that cannot be relied on.</summary>
public sealed class StatementRulesTests
{
    private const string Digest = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";

    [Theory]
    [InlineData("_type", "\"https://in-toto.io/Statement/v0.1\"", "*_type is*")]
    [InlineData("predicateType", "\"https://model_signing/Digests/v0.1\"", "*predicateType is*")]
    [InlineData("subject", "[]", "*0 subjects*")]
    [InlineData("subject", "[{\"name\":\"fox\",\"digest\":{\"sha256\":\"00\"}}]", "*contradicts itself*")]
    [InlineData("predicate", "{}", "*predicate has no serialization*")]
    public void Parse_OfAStatementOfAnotherForm_NamesTheField(string field, string value, string fault)
    {
        var statement = Statement();
        statement[field] = JsonNode.Parse(value);

        var parse = () => ModelStatement.Parse(Encoding.UTF8.GetBytes(statement.ToJsonString()));

        parse.Should().Throw<SignatureException>().WithMessage(fault);
    }

    [Theory]
    [InlineData("algorithm", "sha1", "*algorithm is 'sha1'*")]
    [InlineData("digest", "8ED3", "*'8ED3', which is no SHA-256*")]
    public void Parse_OfAResourceOfAnotherForm_NamesTheField(string field, string value, string fault)
    {
        var statement = Statement();
        statement["predicate"]!["resources"]![0]![field] = value;

        var parse = () => ModelStatement.Parse(Encoding.UTF8.GetBytes(statement.ToJsonString()));

        parse.Should().Throw<SignatureException>().WithMessage(fault);
    }

    [Fact]
    public void Parse_OfAFileListedTwice_IsRefused()
    {
        byte[] statement = new ModelStatement("fox", [new("a", Digest), new("a", Digest)]).ToJson();

        var parse = () => ModelStatement.Parse(statement);

        parse.Should().Throw<SignatureException>().WithMessage("*lists a file twice*");
    }

    private static JsonNode Statement() => JsonNode.Parse(new ModelStatement("fox", [new("a", Digest)]).ToJson())!;
}
