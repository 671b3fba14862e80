using System.Security.Cryptography;
using System.Text;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Tests.Access;

public sealed class AccessTests : RegistryTest
{
    private const string Nothing = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    private protected override IEnumerable<string> Settings =>
    [
        .. Token(0, "gw", "reader"), .. Token(1, "ci", "publisher"), .. Token(2, "boss", "operator"),
        .. Token(3, "acme-ci", "publisher"), "--Registry:Access:Tokens:3:Namespaces:0=acme",
        .. Token(4, "acme-boss", "operator"), "--Registry:Access:Tokens:4:Namespaces:0=acme",
    ];

    [Fact]
    public async Task Call_WithoutATokenOrWithAnUnknownOne_IsUnauthenticated()
    {
        await ShouldFailAsync(() => ListAsync(null), StatusCode.Unauthenticated, "this registry asks for a token: send it as 'authorization: Bearer TOKEN'");
        await ShouldFailAsync(() => ListAsync("gw "), StatusCode.Unauthenticated, "this registry does not know the token");
        await ListAsync("secret of gw");
    }

    [Theory]
    [InlineData("gw", "ci", "SetAlias needs the role publisher, and 'gw' is a reader")]
    [InlineData("ci", "boss", "ProtectAlias needs the role operator, and 'ci' is a publisher")]
    public async Task Call_WithTooLowARole_IsDeniedNamingTheRole(string tooLow, string enough, string detail)
    {
        Func<string, Task> call = tooLow == "gw" ? token => SetAliasAsync(token, "tiny") : token => ProtectAliasAsync(token, "tiny");

        await ShouldFailAsync(() => call(tooLow), StatusCode.PermissionDenied, detail);
        await ShouldFailAsync(() => call(enough), StatusCode.NotFound, "model 'tiny' has no *");
    }

    [Fact]
    public async Task Call_OutsideOfTheTokensNamespaces_IsDenied()
    {
        await ShouldFailAsync(() => SetAliasAsync("acme-ci", "acme/tiny"), StatusCode.NotFound, "*");
        await ShouldFailAsync(() => SetAliasAsync("acme-ci", "acmes/tiny"), StatusCode.PermissionDenied, "'acme-ci' may change models of acme only, not 'acmes/tiny'");
        await ShouldFailAsync(
            async () => await Rpc.SetQuotaAsync(new SetQuotaRequest { Namespace = "acme" }, Header("secret of acme-boss"), cancellationToken: Cancellation),
            StatusCode.PermissionDenied, "this concerns the whole registry, and 'acme-boss' may change models of acme only");
    }

    [Fact]
    public async Task Upload_AsAReader_IsDenied()
    {
        using var call = Rpc.UploadBlobs(Header("secret of gw"), cancellationToken: Cancellation);

        await ShouldFailAsync(async () => await call, StatusCode.PermissionDenied, "UploadBlobs needs the role publisher, and 'gw' is a reader");
    }

    [Fact]
    public async Task Health_NeedsNoToken() =>
        (await new Health.HealthClient(Running.Channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancellation))
            .Status.Should().Be(HealthCheckResponse.Types.ServingStatus.Serving);

    [Fact]
    public async Task SetQuota_IsInTheLogUnderTheNameOfTheToken()
    {
        await Rpc.SetQuotaAsync(new SetQuotaRequest { Namespace = "acme", Bytes = 5 }, Header("secret of boss"), cancellationToken: Cancellation);

        var audit = new Contracts.Registry.V1.Audit.AuditClient(Running.Channel);
        var entries = (await audit.ListEntriesAsync(new ListEntriesRequest(), Header("secret of gw"), cancellationToken: Cancellation)).Entries;
        entries.Should().ContainSingle().Which.Actor.Should().Be("boss");
    }

    [Fact]
    public void EveryMethodOfTheRegistry_SaysWhichRoleItNeeds_AndNoOther()
    {
        var methods = Running.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .Select(endpoint => endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method.FullName).OfType<string>()
            .Where(name => !MethodAccess.OpenServices.Any(open => name.StartsWith(open, StringComparison.Ordinal)))
            .ToList();

        methods.Should().Contain("/fleet.registry.v1.Registry/Publish").And.BeSubsetOf(MethodAccess.Methods.Keys);
        MethodAccess.OpenServices.Should().OnlyContain(service => service.StartsWith("/grpc."));
    }

    [Fact]
    public void Tokens_OfAFile_AreKnownToo()
    {
        string path = Folder["tokens.json"];
        File.WriteAllText(path, $$"""[{"name": "file", "sha256": "{{Sha256("secret")}}", "role": "operator", "namespaces": ["acme"]}]""");

        var actor = new AccessTokens(Options.Create(new AccessOptions { TokensFile = path })).Identify("bearer secret");

        actor.Should().BeEquivalentTo(new Actor("file") { Namespaces = ["acme"] });
    }

    [Theory]
    [InlineData("[{\"name\": \"a\", \"sha256\": \"12\", \"role\": \"reader\"}]", "*token 'a': Sha256 is '12'; give 64 hexadecimal digits*")]
    [InlineData("[{\"name\": \"a\", \"sha256\": \"{0}\", \"role\": \"king\"}]", "*token 'a': Role is 'king'; give reader, publisher or operator*")]
    [InlineData("[{\"name\": \"\", \"sha256\": \"{0}\", \"role\": \"reader\"}]", "*Name has 0 characters*")]
    [InlineData("[{\"name\": \"a\", \"sha256\": \"{0}\", \"role\": \"reader\", \"namespaces\": [\"x\"]}]", "*a reader reads everything*")]
    [InlineData("[{\"name\": \"a\", \"sha256\": \"{0}\", \"role\": \"reader\"}, {\"name\": \"b\", \"sha256\": \"{0}\", \"role\": \"reader\"}]", "*two tokens have the same digest*")]
    [InlineData("{", "*TokensFile *")]
    public void Tokens_ThatCannotBeUsed_StopTheProcessAtStart(string json, string fault)
    {
        string path = Folder["tokens.json"];
        File.WriteAllText(path, json.Replace("{0}", Sha256("secret"), StringComparison.Ordinal));

        var start = () => RegistryHost.Create($"--Registry:DataPath={Folder["other"]}", $"--Registry:Access:TokensFile={path}");

        start.Should().Throw<OptionsValidationException>().WithMessage(fault);
    }

    private static string[] Token(int index, string name, string role) =>
    [
        $"--Registry:Access:Tokens:{index}:Name={name}",
        $"--Registry:Access:Tokens:{index}:Role={role}",
        $"--Registry:Access:Tokens:{index}:Sha256={Sha256($"secret of {name}")}",
    ];

    private static string Sha256(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private static Metadata Header(string? token) => token is null ? [] : new Metadata { { "authorization", $"Bearer {token}" } };

    private async Task ListAsync(string? token) => await Rpc.ListAliasesAsync(new ListAliasesRequest(), Header(token), cancellationToken: Cancellation);

    private async Task SetAliasAsync(string name, string model) => await Rpc.SetAliasAsync(
        new SetAliasRequest { Model = model, Alias = "live", Version = Nothing }, Header($"secret of {name}"), cancellationToken: Cancellation);

    private async Task ProtectAliasAsync(string name, string model) => await Rpc.ProtectAliasAsync(
        new ProtectAliasRequest { Model = model, Alias = "live", Protected = true }, Header($"secret of {name}"), cancellationToken: Cancellation);
}
