using Fleet.Client.Registry;
using Fleet.Registry;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Testing;

/// <summary>A registry in this process on a free port, with its two kinds of client.</summary>
internal sealed class RunningRegistry : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly GrpcChannel channel;

    private RunningRegistry(WebApplication app)
    {
        this.app = app;
        Address = app.Urls.Single();
        Client = new RegistryClient(Address);
        channel = GrpcChannel.ForAddress(Address);
        Rpc = new V1.Registry.RegistryClient(channel);
    }

    public string Address { get; }

    public RegistryClient Client { get; }

    public GrpcChannel Channel => channel;

    public V1.Registry.RegistryClient Rpc { get; }

    /// <summary>The registry's own parts, for tests that stop between two of its steps.</summary>
    public IServiceProvider Services => app.Services;

    public static async Task<RunningRegistry> StartAsync(string dataPath, string url = "http://127.0.0.1:0", params string[] settings)
    {
        var app = RegistryHost.Create([$"--urls={url}", $"--Registry:DataPath={dataPath}", "--Logging:LogLevel:Default=Warning", .. settings]);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new RunningRegistry(app);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        channel.Dispose();
        await app.StopAsync(new CancellationToken(canceled: true)); // at once: calls under way are cut
        await app.DisposeAsync();
    }
}
