using System.Data.Common;
using System.Globalization;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Catalog;

/// <summary>What may change of a version after it was published, and its end.</summary>
internal sealed partial class VersionCatalog
{
    /// <summary>Replaces fields of what is said about a version; see UpdateMetadata in registry.proto.</summary>
    public Task<Version> UpdateMetadataAsync(
        string model, Digest digest, IReadOnlyCollection<string> fields, string description, VersionMetadata metadata, long expectedRevision, Actor actor,
        CancellationToken cancellation) => database.WriteAsync(async transaction =>
        {
            var row = await RequireAsync(transaction, model, digest);
            if (expectedRevision != 0 && expectedRevision != row.Revision)
            {
                throw new AbortedException($"version {digest.Version} of '{model}' has revision {row.Revision}, not the expected {expectedRevision}");
            }

            var (newDescription, newMetadata) = MetadataFields.Replace((row.Description, row.Metadata), fields, description, metadata);
            await RequireBaseAsync(transaction, newMetadata, digest);
            var changed = row.Saying(newDescription, MetadataRules.Metadata(newMetadata)) with { Revision = row.Revision + 1 };
            await transaction.Connection!.ExecuteAsync(VersionRow.Update, changed, transaction);

            var details = MetadataFields.Changes(
                MetadataFields.Summary(row.Description, row.Metadata), MetadataFields.Summary(changed.Description, changed.Metadata));
            details[AuditActions.Revision] = changed.Revision.ToString(CultureInfo.InvariantCulture);
            await audit.AppendAsync(transaction, actor, AuditActions.UpdateMetadata, model, digest.Version, details);
            return (await FindAsync(transaction, model, digest))!;
        }, cancellation);

    /// <summary>Marks a version as one not to be used any more; an empty reason takes the mark away.</summary>
    public Task<Version> DeprecateAsync(string model, Digest digest, string reason, Actor actor, CancellationToken cancellation) =>
        database.WriteAsync(async transaction =>
        {
            var row = await RequireAsync(transaction, model, digest);
            await transaction.Connection!.ExecuteAsync(VersionRow.Update, row with { Deprecated = reason }, transaction);
            await audit.AppendAsync(transaction, actor, AuditActions.DeprecateVersion, model, digest.Version, new Dictionary<string, string>
            {
                ["reason"] = reason,
            });
            return (await FindAsync(transaction, model, digest))!;
        }, cancellation);

    /// <summary>Deletes a version of a model that nothing refers to.</summary>
    public Task DeleteAsync(string model, Digest digest, Actor actor, CancellationToken cancellation) => database.WriteAsync(async transaction =>
    {
        var row = await RequireAsync(transaction, model, digest);
        var connection = transaction.Connection!;
        bool last = await connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM versions WHERE digest = @Hex", new { digest.Hex }, transaction) == 1;
        var referrers = await FindReferrersAsync(transaction, model, digest, last, cancellation);
        if (referrers.Count > 0)
        {
            throw new PreconditionException($"version {digest.Version} of '{model}' is referred to by {string.Join(", ", referrers)}");
        }

        await connection.ExecuteAsync("DELETE FROM versions WHERE id = @Id", row, transaction);
        if (last)
        {
            await connection.ExecuteAsync("DELETE FROM manifest_blobs WHERE manifest = @Hex", new { digest.Hex }, transaction);
            await connection.ExecuteAsync("DELETE FROM manifests WHERE digest = @Hex", new { digest.Hex }, transaction);
        }

        return await audit.AppendAsync(transaction, actor, AuditActions.DeleteVersion, model, digest.Version, new Dictionary<string, string>());
    }, cancellation);

    private static async Task<VersionRow> RequireAsync(DbTransaction transaction, string model, Digest digest)
    {
        var rows = await ReadRowsAsync(
            transaction.Connection!, "WHERE model = @Model AND digest = @Hex", new { Model = model, digest.Hex }, transaction);
        return rows.SingleOrDefault() ?? throw new NotFoundException($"model '{model}' has no version {digest.Version}");
    }

    // The version that another was made from may be under any model's name.
    private static async Task RequireBaseAsync(DbTransaction transaction, VersionMetadata metadata, Digest own)
    {
        if (metadata.BaseVersion == "")
        {
            return;
        }

        var digest = CatalogRules.Version("metadata.base_version", metadata.BaseVersion);
        if (digest == own || (await ReadRowsAsync(transaction.Connection!, "WHERE digest = @Hex LIMIT 1", new { digest.Hex }, transaction)).Count == 0)
        {
            throw new InvalidRequestException("metadata.base_version", digest.Version, "give the digest of another version that the registry has");
        }
    }

    private async Task<IReadOnlyList<string>> FindReferrersAsync(
        DbTransaction transaction, string model, Digest digest, bool last, CancellationToken cancellation)
    {
        var aliases = (await ReadAliasesAsync(transaction.Connection!, model, transaction)).Where(alias => alias.Digest == digest.Hex);
        var referrers = aliases.Select(alias => $"alias '{alias.Name}'").ToList();
        if (last)
        {
            var derived = await ReadRowsAsync(transaction.Connection!, "WHERE base_version = @Hex ORDER BY id", new { digest.Hex }, transaction);
            referrers.AddRange(derived.Select(row => $"version '{row.Model}@{row.Version}' (base_version)"));
        }

        foreach (var source in references)
        {
            referrers.AddRange(await source.FindAsync(transaction, model, digest, cancellation));
        }

        return referrers;
    }
}
