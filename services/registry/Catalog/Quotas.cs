using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Catalog;

/// <summary>How many bytes a namespace, the first part of its models' names, may hold. Each blob counts once for a namespace.</summary>
internal sealed class Quotas(RegistryDatabase database, AuditLog audit)
{
    // PostgreSQL sums BIGINT to NUMERIC.
    private const string SelectUsage =
        """
        SELECT namespace, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS Bytes
        FROM (SELECT DISTINCT versions.namespace, manifest_blobs.blob, manifest_blobs.size
              FROM versions JOIN manifest_blobs ON manifest_blobs.manifest = versions.digest
              WHERE @Namespace = '' OR versions.namespace = @Namespace) AS held
        GROUP BY namespace
        """;

    /// <summary>Sets a quota, or with 0 bytes lifts it.</summary>
    public Task<Usage> SetAsync(string name, long bytes, Actor actor, CancellationToken cancellation) => database.WriteAsync(async transaction =>
    {
        await transaction.Connection!.ExecuteAsync(
            bytes == 0
                ? "DELETE FROM quotas WHERE namespace = @Name"
                : "INSERT INTO quotas (namespace, bytes) VALUES (@Name, @Bytes) ON CONFLICT (namespace) DO UPDATE SET bytes = excluded.bytes",
            new { Name = name, Bytes = bytes }, transaction);
        await audit.AppendAsync(transaction, actor, AuditActions.SetQuota, "", name, new Dictionary<string, string>
        {
            ["bytes"] = bytes.ToString(System.Globalization.CultureInfo.InvariantCulture),
        });
        return (await ReadAsync(transaction.Connection!, name, transaction)).SingleOrDefault() ?? new Usage { Namespace = name };
    }, cancellation);

    /// <summary>All namespaces that hold something or have a quota, in order of name.</summary>
    public Task<IReadOnlyList<Usage>> ListAsync(CancellationToken cancellation) =>
        database.ReadAsync(connection => ReadAsync(connection, "", null), cancellation);

    /// <summary>Refuses what the transaction has put into a namespace when it is too much. Publishing has one writer at a time, so no two fit by halves.</summary>
    public static async Task RequireRoomAsync(DbTransaction transaction, string name)
    {
        var connection = transaction.Connection!;
        long? quota = await connection.ExecuteScalarAsync<long?>("SELECT bytes FROM quotas WHERE namespace = @Name", new { Name = name }, transaction);
        if (quota is null)
        {
            return;
        }

        var usage = await connection.QuerySingleAsync<(string Name, long Bytes)>(SelectUsage, new { Namespace = name }, transaction);
        if (usage.Bytes > quota)
        {
            throw new PreconditionException(
                $"namespace '{name}' would hold {usage.Bytes} bytes and its quota is {quota}; delete versions that are not needed, or ask an operator for more");
        }
    }

    private static async Task<IReadOnlyList<Usage>> ReadAsync(DbConnection connection, string name, DbTransaction? transaction)
    {
        var usages = new SortedDictionary<string, Usage>(StringComparer.Ordinal);
        Usage Of(string key) => usages.TryGetValue(key, out var known) ? known : usages[key] = new Usage { Namespace = key };

        var parameters = new { Namespace = name };
        foreach (var (key, bytes) in await connection.QueryAsync<(string, long)>(SelectUsage, parameters, transaction))
        {
            Of(key).Bytes = bytes;
        }

        const string Versions = "SELECT namespace, COUNT(*) FROM versions WHERE @Namespace = '' OR namespace = @Namespace GROUP BY namespace";
        foreach (var (key, count) in await connection.QueryAsync<(string, long)>(Versions, parameters, transaction))
        {
            Of(key).Versions = (int)count;
        }

        const string Limits = "SELECT namespace, bytes FROM quotas WHERE @Namespace = '' OR namespace = @Namespace";
        foreach (var (key, bytes) in await connection.QueryAsync<(string, long)>(Limits, parameters, transaction))
        {
            Of(key).QuotaBytes = bytes;
        }

        return [.. usages.Values];
    }
}
