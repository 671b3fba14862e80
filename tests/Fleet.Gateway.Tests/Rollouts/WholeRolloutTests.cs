using Fleet.Client;
using Fleet.Client.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Tests.Peers;
using Fleet.Testing;
using Microsoft.AspNetCore.Builder;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Gateway.Tests.Rollouts;

// Real stages with versions that differ in one thing each; what a registry says of a rollout is the test's.
public sealed class WholeRolloutTests(WholeFleet fleet) : IClassFixture<WholeFleet>, IAsyncLifetime
{
    private static readonly GenerationRequest Fox = new() { Prompt = "a fox", Steps = 4, Seed = 40 };

    private readonly TemporaryFolder folder = new();
    private readonly TrafficPeer traffic = new();
    private readonly List<IAsyncDisposable> services = [];
    private Version stable = null!;

    public async ValueTask InitializeAsync() => stable = await PushAsync("stable", _ => { });

    [Fact]
    public async Task Generate_CanaryWithTheSameWeights_ShadowIsIdentical()
    {
        var canary = await PushAsync("same", model => model.Set("scheduler/scheduler_config.json", "_comment", "the same numbers"));
        using var client = await StartGatewayAsync(canary, percent: 0, shadowPercent: 100);

        await GenerateAsync(client, Fox);

        var pair = await traffic.NextPairAsync();
        pair.Distance.Should().BeEquivalentTo(new { Identical = true, PsnrDb = 100.0, Ssim = 1.0, LatentRmse = 0.0 });
        pair.StableThumbnail.Should().Equal(pair.CanaryThumbnail);
    }

    [Fact]
    public async Task Generate_CanaryWithAnotherAutoencoder_ShadowHasTheSameLatentsAndAnotherPicture()
    {
        var canary = await PushAsync("vae", model => model.ChangeNumbers(ModelFolder.Vae, name => name == "decoder.conv_out.bias", value => value + 0.3f));
        using var client = await StartGatewayAsync(canary, percent: 0, shadowPercent: 100);

        await GenerateAsync(client, Fox);

        var distance = (await traffic.NextPairAsync()).Distance;
        distance.Should().BeEquivalentTo(new { Identical = false, LatentRmse = 0.0 });
        distance.PsnrDb.Should().BeInRange(5, 40);
        distance.Ssim.Should().BeLessThan(0.999);
    }

    [Fact]
    public async Task Generate_CanaryGivesNaN_CallerGetsStablesFile()
    {
        var canary = await PushAsync("nan", model => model.ChangeNumbers(ModelFolder.Unet, name => name == "conv_out.bias", _ => 3e38f));
        using var client = await StartGatewayAsync(canary, percent: 100, shadowPercent: 0);
        var direct = await GenerateAsync(client, Fox with { VersionPin = "stable" });

        var rescued = await GenerateAsync(client, Fox);

        rescued.OfType<ImageReceived>().Single().FileSha256.Should().Be(direct.OfType<ImageReceived>().Single().FileSha256);
        rescued.OfType<GenerationAccepted>().Last().Version.Should().Be(stable.Digest);
        (await traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Stable, Fault = Fault.None });
        (await traffic.NextOutcomeAsync()).Should().BeEquivalentTo(new { Arm = Arm.Canary, Fault = Fault.NotFinite, Rescued = true });
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in services)
        {
            await service.DisposeAsync();
        }

        folder.Dispose();
    }

    private static async Task<List<GenerationEvent>> GenerateAsync(FleetClient client, GenerationRequest request) =>
        await client.GenerateAsync(request, TestContext.Current.CancellationToken).ToListAsync();

    private async Task<Version> PushAsync(string name, Action<ModelFolder> change)
    {
        var model = new ModelFolder(folder[name]);
        change(model);
        using var registry = new RegistryClient(fleet.Address("Registry"));
        return (await registry.PushAsync(model.FullPath, "rolled", cancellationToken: TestContext.Current.CancellationToken)).Version;
    }

    private async Task<FleetClient> StartGatewayAsync(Version canary, double percent, double shadowPercent)
    {
        traffic.Set(new ModelTraffic
        {
            Model = "rolled",
            Rollout = RolloutFleet.Rollout,
            Stable = stable,
            Canary = canary,
            Percent = percent,
            ShadowPercent = shadowPercent,
        });
        var registry = await PeerHost.StartAsync(new RegistryPeer(), traffic);
        services.Add(registry);
        var gateway = GatewayHost.Create(
            "--urls=http://127.0.0.1:0",
            "--Logging:LogLevel:Default=None",
            "--Gateway:DefaultModel=rolled",
            $"--Stages:Encoder={fleet.Address("Encoder")}",
            $"--Stages:Denoiser={fleet.Address("Denoiser")}",
            $"--Stages:Decoder={fleet.Address("Decoder")}",
            $"--Stages:Registry={registry.Address}");
        services.Insert(0, gateway);
        await gateway.StartAsync(TestContext.Current.CancellationToken);
        await RolloutFleet.UntilAsync(gateway.Services, table => table.Find("rolled") is not null);
        return new FleetClient(gateway.Urls.Single());
    }
}
