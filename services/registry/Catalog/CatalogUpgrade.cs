using System.Data.Common;
using System.Globalization;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;

namespace Fleet.Registry.Catalog;

/// <summary>Completes what schema 1 holds with what schema 2 wants and SQL alone cannot say. Part of the migration's transaction.</summary>
internal sealed class CatalogUpgrade(AuditLog audit)
{
    private static readonly Actor Upgrade = new("upgrade");

    public async Task RunAsync(DbTransaction transaction)
    {
        var connection = transaction.Connection!;
        var manifests = await connection.QueryAsync<(string Digest, byte[] Content)>("SELECT digest, content FROM manifests", transaction: transaction);
        foreach (var (hex, content) in manifests)
        {
            _ = Digest.TryParseHex(hex, out var digest);
            await ManifestBlobs.InsertAsync(transaction, digest, Manifest.Parser.ParseFrom(content));
        }

        // The log begins with what is there, as if it had been made now: what came before, nobody wrote down.
        foreach (var version in await connection.QueryAsync<VersionRow>($"{VersionRow.Select} ORDER BY id", transaction: transaction))
        {
            await connection.ExecuteAsync(VersionRow.Update, version, transaction);
            var details = MetadataFields.Summary(version.Description, version.Metadata).ToDictionary();
            details[AuditActions.Size] = version.Size.ToString(CultureInfo.InvariantCulture);
            await audit.AppendAsync(transaction, Upgrade, AuditActions.PublishVersion, version.Model, version.Version, details);
        }

        foreach (var alias in await connection.QueryAsync<AliasRow>(AliasRow.Select + "ORDER BY updated_at, model, name", transaction: transaction))
        {
            await audit.AppendAsync(transaction, Upgrade, AuditActions.SetAlias, alias.Model, alias.Name, new Dictionary<string, string>
            {
                ["from"] = VersionCatalog.NoVersion,
                ["to"] = alias.Version,
                ["since"] = DateTimeOffset.FromUnixTimeMilliseconds(alias.UpdatedAt).ToString("O", CultureInfo.InvariantCulture),
            });
        }
    }
}
