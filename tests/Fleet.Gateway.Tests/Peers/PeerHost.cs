using Fleet.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Fleet.Gateway.Tests.Peers;

// A gRPC server of its own for one peer of the gateway.
internal sealed class PeerHost : IAsyncDisposable
{
    private readonly WebApplication app;

    private PeerHost(WebApplication app) => this.app = app;

    public string Address => app.Urls.Single();

    public static Task<PeerHost> StartAsync<TService>(TService service, string address = "http://127.0.0.1:0")
        where TService : class => StartAsync(address, builder => builder.Services.AddSingleton(service), app => app.MapGrpcService<TService>());

    public static Task<PeerHost> StartAsync(RegistryPeer registry, TrafficPeer traffic, string address = "http://127.0.0.1:0") => StartAsync(
        address,
        builder => builder.Services.AddSingleton(registry).AddSingleton(traffic),
        app =>
        {
            app.MapGrpcService<RegistryPeer>();
            app.MapGrpcService<TrafficPeer>();
        });

    private static async Task<PeerHost> StartAsync(string address, Action<WebApplicationBuilder> add, Action<WebApplication> map)
    {
        var builder = FleetDefaults.CreateBuilder("peer", [$"--urls={address}", "--Logging:LogLevel:Default=None"]);
        add(builder);
        var app = builder.Build();
        map(app);
        await app.StartAsync();
        return new PeerHost(app);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
