using System.CommandLine;
using Fleet.Cli.Terminal;
using Fleet.Client;

namespace Fleet.Cli.Fleets;

/// <summary>A client of the fleet that the command line names, or of one that is started for it in this process.</summary>
internal sealed class FleetConnection : IAsyncDisposable
{
    private readonly EmbeddedFleet? embedded;

    private FleetConnection(string gateway, EmbeddedFleet? embedded)
    {
        this.embedded = embedded;
        Client = new FleetClient(gateway);
    }

    public FleetClient Client { get; }

    /// <summary>Opens the connection; an embedded fleet is given the default model first when that is what will be asked for.</summary>
    public static async Task<FleetConnection> OpenAsync(
        ParseResult parsed, Output output, string? model, CancellationToken cancellation)
    {
        if (parsed.FleetAddress() is { } gateway)
        {
            return new FleetConnection(gateway, null);
        }

        var embedded = await EmbeddedFleet.StartAsync(
            parsed.EmbeddedSettings(),
            registry => DefaultModel.IsMeantBy(model) ? DefaultModel.EnsureAsync(registry, output, cancellation) : Task.CompletedTask,
            cancellation);
        return new FleetConnection(embedded.Gateway, embedded);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (embedded is not null)
        {
            await embedded.DisposeAsync();
        }
    }
}
