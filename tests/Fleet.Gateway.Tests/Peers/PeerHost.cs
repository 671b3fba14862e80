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

    public static async Task<PeerHost> StartAsync<TService>(TService service, string address = "http://127.0.0.1:0")
        where TService : class
    {
        var builder = FleetDefaults.CreateBuilder("peer", [$"--urls={address}", "--Logging:LogLevel:Default=None"]);
        builder.Services.AddSingleton(service);
        var app = builder.Build();
        app.MapGrpcService<TService>();
        await app.StartAsync();
        return new PeerHost(app);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
