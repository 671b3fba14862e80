using Fleet.Client.Registry;
using Fleet.Registry.Rollouts;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using V1 = Fleet.Contracts.Registry.V1;

namespace Fleet.Registry.Tests.Rollouts;

/// <summary>A replica of the registry in this process, whose time the test moves.</summary>
internal sealed class RolloutRegistry : IAsyncDisposable
{
    private readonly WebApplication app;

    private RolloutRegistry(WebApplication app)
    {
        this.app = app;
        Client = new RegistryClient(app.Urls.Single());
        Channel = GrpcChannel.ForAddress(app.Urls.Single());
        Rollouts = new V1.Rollouts.RolloutsClient(Channel);
        Traffic = new V1.Traffic.TrafficClient(Channel);
        Rpc = new V1.Registry.RegistryClient(Channel);
        Audit = new V1.Audit.AuditClient(Channel);
    }

    public GrpcChannel Channel { get; }

    public RegistryClient Client { get; }

    public V1.Rollouts.RolloutsClient Rollouts { get; }

    public V1.Traffic.TrafficClient Traffic { get; }

    public V1.Registry.RegistryClient Rpc { get; }

    public V1.Audit.AuditClient Audit { get; }

    public static async Task<RolloutRegistry> StartAsync(TimeProvider time, params string[] settings)
    {
        var app = RegistryHost.Create(["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=Error", .. settings], time);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new RolloutRegistry(app);
    }

    /// <summary>Lets the controller look once, now.</summary>
    public Task LookAsync() => app.Services.GetRequiredService<RolloutController>().LookAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Channel.Dispose();
        await app.StopAsync(new CancellationToken(canceled: true)); // at once, without giving the lease back
        await app.DisposeAsync();
    }
}
