using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Catalog;
using Fleet.Registry.Rollouts.Records;
using Fleet.Registry.Signatures;
using Fleet.Registry.Storage;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Rollouts;

/// <summary>Starts rollouts: checks what a canary must be and adds the rollout in one transaction.</summary>
internal sealed class RolloutStart(
    RegistryDatabase database, VersionCatalog catalog, SignaturePolicy signatures, RolloutWriter writer, TimeProvider time)
{
    /// <summary>Starts a rollout with a plan that has its defaults and no faults.</summary>
    public Task<RolloutRecord> StartAsync(string model, VersionReference reference, RolloutPlan plan, Actor actor, CancellationToken cancellation) =>
        database.WriteAsync(
            async transaction =>
            {
                // Nobody else writes meanwhile: what is read here is so when the rollout is added.
                var stable = await catalog.ResolveAsync(new VersionReference(model, "", ""), cancellation);
                var canary = await CanaryAsync(transaction, model, await catalog.ResolveAsync(reference, cancellation));
                Check(stable, canary, plan);
                await signatures.RequireAsync(DigestOf(canary), cancellation);
                var rollout = New(model, stable, canary, plan, actor);
                return await writer.StartAsync(transaction, rollout, actor) ? rollout : throw await TakenAsync(transaction, model);
            },
            cancellation);

    private static async Task<Version> CanaryAsync(DbTransaction transaction, string model, Version named) =>
        await VersionCatalog.FindAsync(transaction, model, DigestOf(named))
            ?? throw new NotFoundException($"model '{model}' has no version {named.Digest}; it is of model '{named.Model}'");

    private static void Check(Version stable, Version canary, RolloutPlan plan)
    {
        if (stable.Digest == canary.Digest)
        {
            throw new PreconditionException(stable.Aliases.Contains(VersionReference.DefaultAlias)
                ? $"'{canary.Model}@{VersionReference.DefaultAlias}' points at {canary.Digest} already"
                : $"{canary.Digest} is what '{canary.Model}' means already, its newest version; point the alias 'stable' at the version that is to be compared with");
        }

        if (canary.Deprecated != "")
        {
            throw new PreconditionException($"{canary.Digest} is deprecated: {canary.Deprecated}");
        }

        if (canary.Traits.Kind is not ("" or "pipeline"))
        {
            throw new PreconditionException($"{canary.Digest} is of kind '{canary.Traits.Kind}'; only a version that makes pictures by itself can be rolled out");
        }

        foreach (var (name, least) in plan.Tests.MinMetrics)
        {
            CheckMetric(canary, name, least);
        }
    }

    private static void CheckMetric(Version canary, string name, double least)
    {
        string wanted = string.Create(CultureInfo.InvariantCulture, $"the plan asks for at least {least}");
        if (canary.Metadata?.Metrics.TryGetValue(name, out double value) is not true)
        {
            throw new PreconditionException($"{canary.Digest} has no metric '{name}', and {wanted}");
        }

        if (!(value >= least))
        {
            throw new PreconditionException(string.Create(CultureInfo.InvariantCulture, $"metric '{name}' of {canary.Digest} is {value}, and {wanted}"));
        }
    }

    private RolloutRecord New(string model, Version stable, Version canary, RolloutPlan plan, Actor actor) => new()
    {
        Number = 0,
        Id = "ro-" + RandomNumberGenerator.GetString("0123456789abcdefghijklmnopqrstuvwxyz", 12),
        Model = model,
        Stable = DigestOf(stable),
        Canary = DigestOf(canary),
        HadAlias = stable.Aliases.Contains(VersionReference.DefaultAlias),
        Plan = plan,
        Actor = actor.Name,
        CreatedAt = time.GetUtcNow(),
        Progress = new RolloutProgress(RolloutState.Warming, -1, TimeSpan.Zero, 0, 0),
        StepBeganAt = null,
        FirstCanaryAt = null,
        EndedAt = null,
        Reason = "the replicas load the canary",
        Revision = 1,
    };

    private static async Task<ConflictException> TakenAsync(DbTransaction transaction, string model)
    {
        var running = (await RolloutTable.RunningAsync(transaction.Connection!, transaction)).Single(rollout => rollout.Model == model);
        return new ConflictException($"model '{model}' has a rollout that has not ended: {running.Id}");
    }

    private static Digest DigestOf(Version version) => CatalogRules.Version("version", version.Digest);
}
