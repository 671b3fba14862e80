using Fleet.Client;
using Fleet.Client.Registry;
using Fleet.Contracts.Generation.V1;
using Fleet.Registry;
using Fleet.Testing;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;

namespace Fleet.Gateway.Tests;

// The gateway with the real registry, which serves the small model of the golden set.
public sealed class RegistryTests : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private WebApplication registry = null!;
    private RegistryClient models = null!;
    private TestFleet fleet = null!;
    private string version = null!;

    public async ValueTask InitializeAsync()
    {
        registry = RegistryHost.Create("--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None", $"--Registry:DataPath={folder.Path}");
        await registry.StartAsync(TestContext.Current.CancellationToken);
        models = new RegistryClient(registry.Urls.Single());
        version = (await models.PushAsync(Path.Combine(Repository.OwnGolden, "models", "sd1"), "sd1", aliases: ["stable"])).Version.Digest;
        fleet = await TestFleet.StartAsync($"--Stages:Registry={registry.Urls.Single()}", "--Gateway:DefaultModel=sd1", "--Gateway:ResolveCacheFor=00:00:00");
    }

    [Theory]
    [InlineData("")]
    [InlineData("sd1")]
    [InlineData("sd1@stable")]
    [InlineData("sd1@{digest}")]
    [InlineData("{digest}")]
    public async Task Generate_AnyReference_PinsTheVersion(string reference)
    {
        var start = new GenerateStart { Prompt = "a fox", Model = reference.Replace("{digest}", version, StringComparison.Ordinal), Steps = 1 };

        var recipe = (await fleet.RunAsync(start)).Last().Receipt.Recipe;

        recipe.Version.Should().Be(version);
        recipe.Model.Should().Be("sd1");
        recipe.Width.Should().BePositive().And.Be(recipe.Height);
    }

    [Theory]
    [InlineData("sd2")]
    [InlineData("sd1@canary")]
    public async Task Generate_UnknownReference_IsNotFound(string reference)
    {
        var refusal = await fleet.RefusalAsync(new GenerateStart { Prompt = "a fox", Model = reference });

        refusal.StatusCode.Should().Be(StatusCode.NotFound);
        refusal.Status.Detail.Should().Contain(reference.Split('@')[^1]);
    }

    [Fact]
    public async Task Generate_AliasMoves_NextJobTakesTheNewVersionAndAReplayKeepsTheOld()
    {
        var first = await fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1 });
        var other = await models.PushAsync(Path.Combine(Repository.OwnGolden, "models", "sd2"), "sd1", aliases: ["stable"], cancellationToken: TestContext.Current.CancellationToken);

        var second = await fleet.GenerateAsync(new GenerationRequest { Prompt = "a fox", Steps = 1 });
        var replay = await fleet.GenerateAsync(GenerationRequest.FromRecipe(first.OfType<ReceiptReceived>().Single().Receipt.Recipe));

        second.OfType<GenerationAccepted>().Single().Version.Should().Be(other.Version.Digest);
        replay.OfType<GenerationAccepted>().Single().Version.Should().Be(version);
        replay.OfType<ImageReceived>().Single().FileSha256.Should().Be(first.OfType<ImageReceived>().Single().FileSha256);
    }

    public async ValueTask DisposeAsync()
    {
        await fleet.DisposeAsync();
        models.Dispose();
        await registry.DisposeAsync();
        folder.Dispose();
    }
}
