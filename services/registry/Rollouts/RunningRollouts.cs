using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Catalog;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Rollouts;

/// <summary>The rollouts that run, as one snapshot that is replaced by one assignment. What streams to gateways and stages comes from here.</summary>
internal sealed class RunningRollouts(RegistryDatabase database, VersionCatalog catalog)
{
    private readonly SemaphoreSlim refreshing = new(1);
    private volatile Snapshot now = new([], []);

    /// <summary>Wakes those who wait for another snapshot.</summary>
    public ChangeSignal Changed { get; } = new();

    public IReadOnlyList<RolloutRecord> Records => now.Records;

    public WatchTrafficResponse Traffic => new() { Models = { now.Traffic } };

    /// <summary>Both versions of each rollout.</summary>
    public WatchWarmupsResponse Warmups => new()
    {
        Warmups =
        {
            now.Records.SelectMany(rollout => new[]
            {
                new Warmup { Rollout = rollout.Id, Version = rollout.Stable.Version },
                new Warmup { Rollout = rollout.Id, Version = rollout.Canary.Version },
            }),
        },
    };

    /// <summary>Reads the rollouts and tells those who wait when there is a change.</summary>
    public async Task<IReadOnlyList<RolloutRecord>> RefreshAsync(CancellationToken cancellation)
    {
        await refreshing.WaitAsync(cancellation);
        try
        {
            var records = await database.ReadAsync(connection => RolloutTable.RunningAsync(connection), cancellation);
            bool changed = !records.Select(Revision).SequenceEqual(now.Records.Select(Revision));
            now = changed
                ? new Snapshot(records, await Task.WhenAll(records.Select(rollout => TrafficOfAsync(rollout, cancellation))))
                : now with { Records = records };
            if (changed)
            {
                Changed.Pulse();
            }

            return records;
        }
        finally
        {
            refreshing.Release();
        }
    }

    private static (string, long) Revision(RolloutRecord rollout) => (rollout.Id, rollout.Revision);

    private async Task<ModelTraffic> TrafficOfAsync(RolloutRecord rollout, CancellationToken cancellation)
    {
        var traffic = rollout.Traffic;
        return new ModelTraffic
        {
            Model = rollout.Model,
            Rollout = rollout.Id,
            Stable = await VersionAsync(rollout.Model, rollout.Stable, cancellation),
            Canary = await VersionAsync(rollout.Model, rollout.Canary, cancellation),
            Percent = traffic.Percent,
            ShadowPercent = traffic.Shadow,
            Kind = rollout.Plan.Kind,
        };
    }

    // What people say about a version is nothing to a gateway, and may be large.
    private async Task<Version> VersionAsync(string model, Digest digest, CancellationToken cancellation)
    {
        var version = await catalog.FindAsync(model, digest, cancellation)
            ?? throw new InvalidOperationException($"model '{model}' has a rollout of {digest.Version} and no such version");
        version.Metadata = null;
        version.Description = "";
        return version;
    }

    private sealed record Snapshot(IReadOnlyList<RolloutRecord> Records, IReadOnlyList<ModelTraffic> Traffic);
}
