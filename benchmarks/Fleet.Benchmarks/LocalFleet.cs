using Fleet.Cli.Fleets;
using Fleet.Client;
using Fleet.Client.Registry;
using Microsoft.Extensions.Logging;

namespace Fleet.Benchmarks;

/// <summary>The five services in this process with a model of its own, under a data folder that FLEET_HOME names.</summary>
internal sealed class LocalFleet : IAsyncDisposable
{
    private readonly EmbeddedFleet fleet;
    private readonly FleetClient client;

    private LocalFleet(EmbeddedFleet fleet)
    {
        this.fleet = fleet;
        client = new FleetClient(fleet.Gateway);
    }

    /// <summary>Starts the services and publishes the checkpoint as "benchmark".</summary>
    public static async Task<LocalFleet> StartAsync(string checkpoint)
    {
        async Task PublishAsync(string registryAddress)
        {
            using var registry = new RegistryClient(registryAddress);
            await registry.PushAsync(checkpoint, "benchmark");
        }

        var fleet = await EmbeddedFleet.StartAsync(new EmbeddedSettings(LogLevel.Warning), PublishAsync, CancellationToken.None);
        return new LocalFleet(fleet);
    }

    /// <summary>Makes a picture with guidance 7.5; its PNG file.</summary>
    public async Task<byte[]> GenerateAsync(string prompt, int size, int steps, long seed)
    {
        var request = new GenerationRequest { Prompt = prompt, Model = "benchmark", Width = size, Height = size, Steps = steps, Seed = seed };
        byte[] png = [];
        await foreach (var next in client.GenerateAsync(request))
        {
            if (next is ImageReceived image)
            {
                png = image.File.ToArray();
            }
        }

        return png;
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await fleet.DisposeAsync();
    }
}
