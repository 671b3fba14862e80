using Fleet.Hosting;
using Fleet.Registry.Catalog;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Storage;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Rollouts;

/// <summary>
/// Looks at the running rollouts, now and then and whenever evidence arrives, and decides over them while this replica of the registry holds the lease.
/// One transition of a rollout at a time: it is stored before anything follows from it, so that a replica that dies at any moment leaves a rollout that
/// the next one goes on with.
/// </summary>
internal sealed partial class RolloutController(
    RegistryDatabase database,
    VersionCatalog catalog,
    RunningRollouts running,
    RolloutEvidence judges,
    RolloutWriter writer,
    ControllerLease lease,
    IOptions<RolloutOptions> options,
    TimeProvider time,
    ILogger<RolloutController> logger) : BackgroundService
{
    private readonly SemaphoreSlim looking = new(1);
    private readonly StateClocks clocks = new(time, options.Value.LeaseFor);
    private readonly ReplicaPresence presence = new(time, options.Value.LiveFor);

    /// <summary>Looks at all running rollouts once.</summary>
    public async Task LookAsync(CancellationToken cancellation)
    {
        await looking.WaitAsync(cancellation);
        try
        {
            clocks.Advance();
            var rollouts = await running.RefreshAsync(cancellation);
            judges.KeepOnly(rollouts);
            if (rollouts.Count == 0)
            {
                await lease.ReleaseAsync(cancellation);
            }
            else if (await lease.HoldAsync(clocks.SaveAsync, cancellation))
            {
                await DecideAsync(rollouts, cancellation);
                return;
            }

            clocks.Forget();
            presence.Forget();
        }
        finally
        {
            looking.Release();
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (cancellationToken.IsCancellationRequested)
        {
            return; // at once: the lease runs out by itself
        }

        try
        {
            await lease.ReleaseAsync(cancellationToken);
        }
        catch (UnavailableException exception)
        {
            Log.CannotRelease(logger, exception.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        bool failing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            var arrived = judges.Arrived.Next;
            try
            {
                await LookAsync(stoppingToken);
                failing = false;
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (!failing)
                {
                    Log.CannotLook(logger, exception);
                }

                failing = true;
            }
            catch (Exception)
            {
                return; // stopping, whatever that broke off
            }

            await arrived.WaitAsync(options.Value.LookEvery, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task DecideAsync(IReadOnlyList<RolloutRecord> rollouts, CancellationToken cancellation)
    {
        bool changed = false;
        foreach (var rollout in rollouts)
        {
            try
            {
                changed |= await DecideAsync(rollout, cancellation);
            }
            catch (AbortedException exception)
            {
                Log.AliasMoved(logger, rollout.Id, exception.Message); // the next look finds it elsewhere and ends the rollout
            }
            catch (Exception exception) when (!cancellation.IsCancellationRequested)
            {
                Log.CannotDecide(logger, exception, rollout.Id);
            }
        }

        if (changed)
        {
            await running.RefreshAsync(cancellation);
        }
    }

    private async Task<bool> DecideAsync(RolloutRecord rollout, CancellationToken cancellation)
    {
        var evidence = await judges.ReadAsync(rollout, cancellation);
        var replicas = await database.ReadAsync(connection => ReplicaTable.ListAsync(connection, rollout.Id), cancellation);
        var facts = new RolloutFacts(
            WarmupReading.Of(rollout.Plan.Readiness, replicas, presence.Notice(rollout.Id, replicas)),
            evidence.Opinion, evidence.Canary.Requests, evidence.Pairs, await MovedAliasAsync(rollout, cancellation));
        var at = rollout.Progress with { Elapsed = clocks.ElapsedOf(rollout) };
        if (RolloutRules.Next(at, rollout.Plan, facts, options.Value) is not { } transition)
        {
            return false;
        }

        bool written = await database.WriteAsync(
            async transaction => await lease.IsHeldAsync(transaction) && await writer.ApplyAsync(transaction, rollout, transition, evidence, replicas),
            cancellation);
        if (written)
        {
            clocks.Restart(rollout);
            Log.Decided(logger, rollout.Id, rollout.State, transition.To, transition.Step, transition.Reason);
        }

        return written;
    }

    // Where the alias points, if that is not where the rollout found it.
    private async Task<string?> MovedAliasAsync(RolloutRecord rollout, CancellationToken cancellation)
    {
        var aliases = await catalog.ListAliasesAsync(rollout.Model, cancellation);
        string now = aliases.FirstOrDefault(alias => alias.Name == VersionReference.DefaultAlias)?.Version ?? VersionCatalog.NoVersion;
        return now == (rollout.HadAlias ? rollout.Stable.Version : VersionCatalog.NoVersion) ? null : now;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Rollout {Rollout} goes from {From} to {To}, step {Step}: {Reason}")]
        public static partial void Decided(ILogger logger, string rollout, object from, object to, int step, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Rollout {Rollout} could not move the alias: {Reason}")]
        public static partial void AliasMoved(ILogger logger, string rollout, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "Rollout {Rollout} could not be decided over; it is tried again")]
        public static partial void CannotDecide(ILogger logger, Exception exception, string rollout);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The lease on rollouts is left to run out: {Reason}")]
        public static partial void CannotRelease(ILogger logger, string reason);

        [LoggerMessage(Level = LogLevel.Error, Message = "The rollouts could not be looked at; it is tried again until it works")]
        public static partial void CannotLook(ILogger logger, Exception exception);
    }
}
