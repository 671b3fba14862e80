using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Gateway.Rollouts;
using Fleet.Gateway.Tests.Peers;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Fleet.Gateway.Tests.Rollouts;

// A gateway whose registry rolls the model "tiny" out.
internal sealed class RolloutFleet : IAsyncDisposable
{
    public const string Rollout = "ro-abc123def456";

    private readonly string registryAddress;
    private PeerHost registry;

    private RolloutFleet(TestFleet fleet, PeerHost registry, TrafficPeer traffic)
    {
        (Fleet, this.registry, Traffic) = (fleet, registry, traffic);
        registryAddress = registry.Address;
        fleet.Denoiser.QueuePosition = 0;
    }

    public TestFleet Fleet { get; }

    public TrafficPeer Traffic { get; }

    public DenoiserPeer Denoiser => Fleet.Denoiser;

    public static ModelTraffic Split(double percent, double shadowPercent = 0) => new()
    {
        Model = "tiny",
        Rollout = Rollout,
        Stable = RegistryPeer.Stable,
        Canary = RegistryPeer.Canary,
        Percent = percent,
        ShadowPercent = shadowPercent,
    };

    public static async Task<RolloutFleet> StartAsync(double percent, double shadowPercent = 0, params string[] settings)
    {
        var traffic = new TrafficPeer();
        traffic.Set(Split(percent, shadowPercent));
        var registry = await PeerHost.StartAsync(new RegistryPeer(), traffic);
        string[] own = [$"--Stages:Registry={registry.Address}", "--Rollouts:ReportAfter=00:00:00.010", "--Rollouts:MaxRetryDelay=00:00:00.050"];
        var rollouts = new RolloutFleet(await TestFleet.StartAsync([.. own, .. settings]), registry, traffic);
        await rollouts.UntilAsync(table => table.Find("tiny") is not null);
        return rollouts;
    }

    // Changes the split and waits until the gateway has heard of it.
    public async Task SetAsync(params ModelTraffic[] models)
    {
        Traffic.Set(models);
        await UntilAsync(table => models.Length == 0 ? table.Find("tiny") is null : table.Find("tiny")?.Equals(models[0]) is true);
    }

    // Waits until what a gateway has heard is as it should be.
    public static async Task UntilAsync(IServiceProvider gateway, Func<TrafficTable, bool> condition)
    {
        var watcher = gateway.GetRequiredService<TrafficWatcher>();
        using var limit = new CancellationTokenSource(TestFleet.Patience);
        while (!condition(watcher.Table))
        {
            await Task.Delay(5, limit.Token);
        }
    }

    public ValueTask StopRegistryAsync() => registry.DisposeAsync();

    public async Task StartRegistryAsync() => registry = await PeerHost.StartAsync(new RegistryPeer(), Traffic, registryAddress);

    public async Task<Seen> RunAsync(GenerateStart start, DateTime? deadline = null, Metadata? headers = null)
    {
        using var call = Fleet.Call(start, deadline, headers);
        return new Seen(await call.ResponseStream.ReadAllAsync(TestContext.Current.CancellationToken).ToListAsync());
    }

    // What the caller gets when it asks for a version by its digest, past any rollout.
    public async Task<byte[]> DirectFileAsync(GenerateStart start, string version) =>
        (await RunAsync(new GenerateStart(start) { RequestId = Guid.NewGuid().ToString("N"), Model = version, VersionPin = "" })).File(0);

    public async ValueTask DisposeAsync()
    {
        await Fleet.DisposeAsync();
        await registry.DisposeAsync();
    }

    private Task UntilAsync(Func<TrafficTable, bool> condition) => UntilAsync(Fleet.Services, condition);
}

// What a caller saw of a generation.
internal sealed record Seen(List<GenerateResponse> Events)
{
    public List<Accepted> Accepted => [.. Events.Where(e => e.Accepted is not null).Select(e => e.Accepted)];

    public string Version => Events[^1].Receipt.Recipe.Version;

    public byte[] File(int index)
    {
        var file = new MemoryStream();
        foreach (var chunk in Events.Where(e => e.Image?.ImageIndex == index).Select(e => e.Image))
        {
            chunk.Offset.Should().Be(file.Length);
            file.Write(chunk.Data.Span);
        }

        return file.ToArray();
    }
}
