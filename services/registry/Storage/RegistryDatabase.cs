using System.Data.Common;
using System.Reflection;
using Dapper;
using Fleet.Hosting;
using Fleet.Registry.Audit;
using Fleet.Registry.Catalog;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Fleet.Registry.Storage;

/// <summary>The registry's database, SQLite or PostgreSQL. README.md beside this file says what it promises.</summary>
internal sealed class RegistryDatabase : IAsyncDisposable
{
    // Any number that nobody else uses for a lock in the same PostgreSQL database.
    private const long WriterLock = 0x466c656574;

    private const int WriteAttempts = 5;

    private readonly DbDataSource source;
    private readonly bool sqlite;
    private readonly SemaphoreSlim writing = new(1);

    public RegistryDatabase(IOptions<RegistryOptions> options, TimeProvider time)
    {
        string connection = options.Value.Database;
        sqlite = connection == "";
        if (sqlite)
        {
            string folder = Path.GetFullPath(options.Value.DataPath);
            _ = Directory.CreateDirectory(folder);
            var builder = new SqliteConnectionStringBuilder { DataSource = Path.Combine(folder, "registry.db"), ForeignKeys = true };
            source = SqliteFactory.Instance.CreateDataSource(builder.ToString());
        }
        else
        {
            source = NpgsqlDataSource.Create(connection);
        }

        // Waited for: nothing is served before the schema is right, and a database that cannot be used is said when the process starts.
        Task.Run(() => MigrateAsync(new CatalogUpgrade(new AuditLog(time)))).GetAwaiter().GetResult();
    }

    /// <summary>Reads; sees what was written before.</summary>
    public async Task<T> ReadAsync<T>(Func<DbConnection, Task<T>> read, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await OpenAsync(cancellation);
            return await read(connection);
        }
        catch (NpgsqlException e) when (IsOutage(e))
        {
            throw Unavailable(e);
        }
    }

    /// <summary>Writes in one transaction, as the only writer. <paramref name="write"/> may be called again after a conflict.</summary>
    public async Task<T> WriteAsync<T>(Func<DbTransaction, Task<T>> write, CancellationToken cancellation)
    {
        await writing.WaitAsync(cancellation);
        try
        {
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    await using var connection = await OpenAsync(cancellation);
                    await using var transaction = await connection.BeginTransactionAsync(cancellation);
                    if (!sqlite)
                    {
                        await connection.ExecuteAsync("SELECT pg_advisory_xact_lock(@WriterLock)", new { WriterLock }, transaction);
                    }

                    var result = await write(transaction);
                    await transaction.CommitAsync(cancellation);
                    return result;
                }
                catch (PostgresException e) when (e.IsTransient && attempt < WriteAttempts)
                {
                    // A deadlock or a serialization failure: nothing was written.
                }
            }
        }
        catch (NpgsqlException e) when (IsOutage(e))
        {
            throw Unavailable(e);
        }
        finally
        {
            writing.Release();
        }
    }

    /// <summary>Closes the pooled connections; SQLite writes its log back into the database file.</summary>
    public async ValueTask DisposeAsync()
    {
        if (sqlite)
        {
            await using var connection = (SqliteConnection)source.CreateConnection();
            SqliteConnection.ClearPool(connection);
        }

        await source.DisposeAsync();
        writing.Dispose();
    }

    private static bool IsOutage(NpgsqlException e) => e is not PostgresException || e.IsTransient;

    private static UnavailableException Unavailable(NpgsqlException e) => new($"The registry's database cannot be used now: {e.Message}", e);

    private async Task<DbConnection> OpenAsync(CancellationToken cancellation)
    {
        var connection = await source.OpenConnectionAsync(cancellation);
        if (sqlite)
        {
            // FULL: in WAL mode a commit is on disk only then, and a published version must not be forgotten.
            await connection.ExecuteAsync("PRAGMA synchronous = FULL");
        }

        return connection;
    }

    private async Task MigrateAsync(CatalogUpgrade upgrade)
    {
        await using var connection = await OpenAsync(CancellationToken.None);
        if (sqlite)
        {
            await connection.ExecuteAsync("PRAGMA journal_mode = WAL");
        }

        await using var transaction = await connection.BeginTransactionAsync();
        long schema = sqlite
            ? await connection.ExecuteScalarAsync<long>("PRAGMA user_version", transaction: transaction)
            : await SchemaOfPostgresAsync(transaction);
        var scripts = Migrations().ToList();
        if (schema > scripts.Count)
        {
            throw new InvalidOperationException(
                $"The database has schema {schema} and this registry knows up to {scripts.Count}: run a newer registry.");
        }

        foreach (string script in scripts.Skip((int)schema))
        {
            await connection.ExecuteAsync(ForThisDatabase(script), transaction: transaction);
        }

        if (schema < 2)
        {
            await upgrade.RunAsync(transaction); // after all scripts: it uses the tables as this registry knows them
        }

        await connection.ExecuteAsync(
            sqlite ? $"PRAGMA user_version = {scripts.Count}" : $"UPDATE schema_version SET version = {scripts.Count}", transaction: transaction);
        await transaction.CommitAsync();
    }

    private static async Task<long> SchemaOfPostgresAsync(DbTransaction transaction)
    {
        var connection = transaction.Connection!;
        await connection.ExecuteAsync("SELECT pg_advisory_xact_lock(@WriterLock)", new { WriterLock }, transaction);
        await connection.ExecuteAsync("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", transaction: transaction);
        await connection.ExecuteAsync("INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)", transaction: transaction);
        return await connection.ExecuteScalarAsync<long>("SELECT version FROM schema_version", transaction: transaction);
    }

    private static IEnumerable<string> Migrations()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string name in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return reader.ReadToEnd();
        }
    }

    private string ForThisDatabase(string script) => script
        .Replace("{bytes}", sqlite ? "BLOB" : "BYTEA", StringComparison.Ordinal)
        .Replace("{identity}", sqlite ? "INTEGER PRIMARY KEY AUTOINCREMENT" : "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", StringComparison.Ordinal);
}
