using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Client.Registry;
using Fleet.Client.Rollouts;

namespace Fleet.Cli.Models;

/// <summary>A client of the registry that the command line names, or of the local one, served in this process.</summary>
internal sealed class RegistryConnection : IAsyncDisposable
{
    private readonly EmbeddedFleet? embedded;

    private RegistryConnection(string address, string token, EmbeddedFleet? embedded)
    {
        this.embedded = embedded;
        Client = new RegistryClient(address, token);
        Rollouts = new RolloutClient(address, token);
    }

    public RegistryClient Client { get; }

    public RolloutClient Rollouts { get; }

    public static async Task<RegistryConnection> OpenAsync(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.RegistryAddress() is { } address)
        {
            return new RegistryConnection(address, parsed.RegistryToken(), null);
        }

        var embedded = await EmbeddedFleet.StartRegistryAsync(parsed.EmbeddedSettings(), cancellation);
        return new RegistryConnection(embedded.Registry, parsed.RegistryToken(), embedded);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Rollouts.Dispose();
        if (embedded is not null)
        {
            await embedded.DisposeAsync();
        }
    }
}
