using Fleet.Client;
using Fleet.Client.Registry;
using Fleet.Decoder;
using Fleet.Denoiser;
using Fleet.Encoder;
using Fleet.Registry;
using Fleet.Testing;
using Microsoft.AspNetCore.Builder;

namespace Fleet.Gateway.Tests;

// All five services, with the small model of the golden set.
public sealed class WholeFleet : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private readonly Dictionary<string, WebApplication> services = [];

    public FleetClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await StartAsync("Registry", RegistryHost.Create);
        using (var models = new RegistryClient(Address("Registry")))
        {
            await models.PushAsync(Path.Combine(Repository.OwnGolden, "models", "sd1"), "tiny");
        }

        await StartAsync("Encoder", EncoderHost.Create);
        await StartAsync("Decoder", DecoderHost.Create);
        await StartAsync("Denoiser", DenoiserHost.Create);
        await StartAsync("Gateway", GatewayHost.Create);
        Client = new FleetClient(Address("Gateway"));
    }

    public string Address(string name) => services[name].Urls.Single();

    // Breaks off whatever the service is doing and puts another one in its place, at the same address.
    public async Task ReplaceAsync(string name, Func<string[], WebApplication> create)
    {
        string address = Address(name);
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        services.Remove(name, out var old);
        await old!.StopAsync(atOnce.Token);
        await old.DisposeAsync();
        await StartAsync(name, create, address);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        foreach (string name in new[] { "Gateway", "Denoiser", "Decoder", "Encoder", "Registry" })
        {
            if (services.TryGetValue(name, out var service))
            {
                await service.StopAsync();
                await service.DisposeAsync();
            }
        }

        folder.Dispose();
    }

    private async Task StartAsync(string name, Func<string[], WebApplication> create, string address = "http://127.0.0.1:0")
    {
        var peers = services.ToDictionary(service => service.Key, service => service.Value.Urls.Single());
        var service = create(
        [
            $"--urls={address}",
            "--Logging:LogLevel:Default=None",
            "--Slice:Threads=1",
            $"--Registry:DataPath={folder["registry"]}",
            $"--Registry:Address={peers.GetValueOrDefault("Registry")}",
            $"--Store:Path={folder["store"]}",
            $"--Decoder:Address={peers.GetValueOrDefault("Decoder")}",
            "--Gateway:DefaultModel=tiny",
            .. peers.Select(peer => $"--Stages:{peer.Key}={peer.Value}"),
        ]);
        await service.StartAsync();
        services[name] = service;
    }
}
