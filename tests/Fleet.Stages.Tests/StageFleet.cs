using Fleet.Client.Registry;
using Fleet.Decoder;
using Fleet.Denoiser;
using Fleet.Encoder;
using Fleet.Hosting;
using Fleet.Registry;
using Fleet.Stages.Tests;
using Fleet.Testing;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;

[assembly: AssemblyFixture(typeof(StageFleet))]

namespace Fleet.Stages.Tests;

/// <summary>A registry with a tiny model, an encoder, a denoiser and a decoder, each the real host on a port of its own.</summary>
public sealed class StageFleet : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private readonly List<WebApplication> hosts = [];
    private readonly List<GrpcChannel> channels = [];
    private string registryAddress = "";

    /// <summary>Version of tests/golden/models/sd1: 32 wide embeddings of 77 tokens, 4 channels, 2 pixels per latent.</summary>
    public string Version { get; private set; } = "";

    public GrpcChannel Registry { get; private set; } = null!;

    public GrpcChannel Encoder { get; private set; } = null!;

    public GrpcChannel Decoder { get; private set; } = null!;

    public string DecoderAddress { get; private set; } = "";

    public GrpcChannel Denoiser { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var registry = await StartAsync(RegistryHost.Create, $"--Registry:DataPath={folder["registry"]}");
        registryAddress = registry.Urls.Single();
        Registry = Open(registry);
        Version = await PushAsync(Path.Combine(Repository.OwnGolden, "models", "sd1"));
        Encoder = Open(await StartStageAsync(EncoderHost.Create));
        var decoder = await StartStageAsync(DecoderHost.Create);
        DecoderAddress = decoder.Urls.Single();
        Decoder = Open(decoder);
        Denoiser = Open(await StartStageAsync(DenoiserHost.Create, $"--Decoder:Address={DecoderAddress}"));
    }

    public async ValueTask DisposeAsync()
    {
        channels.ForEach(channel => channel.Dispose());
        foreach (var host in hosts.AsEnumerable().Reverse())
        {
            await host.StopAsync();
            await host.DisposeAsync();
        }

        folder.Dispose();
    }

    /// <summary>Publishes a folder; its version.</summary>
    public async Task<string> PushAsync(string folder, string model = "tiny", params string[] aliases)
    {
        using var registry = new RegistryClient(registryAddress);
        return (await registry.PushAsync(folder, model, aliases)).Version.Digest;
    }

    /// <summary>Starts a stage of a test's own, which is stopped with the others.</summary>
    public Task<WebApplication> StartStageAsync(Func<string[], WebApplication> create, params string[] settings) => StartAsync(
        create, ["--Slice:Threads=2", $"--Registry:Address={registryAddress}", $"--Store:Path={folder["store"]}", .. settings]);

    public GrpcChannel Open(WebApplication stage)
    {
        var channel = StageChannel.Open(new Uri(stage.Urls.Single()));
        lock (channels)
        {
            channels.Add(channel);
        }

        return channel;
    }

    private async Task<WebApplication> StartAsync(Func<string[], WebApplication> create, params string[] settings)
    {
        var host = create(["--urls=http://127.0.0.1:0", .. settings]);
        lock (hosts)
        {
            hosts.Add(host);
        }

        await host.StartAsync();
        return host;
    }
}
