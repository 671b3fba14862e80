using System.Data;
using System.Data.Common;
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
    private const int MigrationSeconds = 600;

    // How long a write waits for those before it. One that hangs is ended by the command timeout, so this is for many that hang.
    private static readonly TimeSpan WriterPatience = TimeSpan.FromSeconds(15);

    private readonly DbDataSource source;
    private readonly bool sqlite;
    private readonly SemaphoreSlim writing = new(1);

    public RegistryDatabase(IOptions<RegistryOptions> options, TimeProvider time)
    {
        sqlite = options.Value.Database == "";
        source = sqlite ? OpenFile(options.Value.DataPath) : NpgsqlDataSource.Create(WithTimeouts(options.Value.Database));

        // Waited for: nothing is served before the schema is right, and a database that cannot be used is said when the process starts.
        Task.Run(() => MigrateAsync(new CatalogUpgrade(new AuditLog(time)))).GetAwaiter().GetResult();
    }

    /// <summary>Reads; sees what was written before.</summary>
    public Task<T> ReadAsync<T>(Func<DbConnection, Task<T>> read, CancellationToken cancellation) => UseAsync(async () =>
    {
        await using var connection = await OpenAsync(cancellation);
        return await read(connection);
    });

    /// <summary>Reads with any number of statements that all see the same moment; writers are not held up.</summary>
    public Task<T> ReadMomentAsync<T>(Func<DbTransaction, Task<T>> read, CancellationToken cancellation) => ReadAsync(async connection =>
    {
        await using DbTransaction transaction = connection is SqliteConnection file
            ? file.BeginTransaction(deferred: true)
            : await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellation);
        return await read(transaction);
    }, cancellation);

    /// <summary>Writes in one transaction, as the only writer. <paramref name="write"/> may be called again after a conflict.</summary>
    public async Task<T> WriteAsync<T>(Func<DbTransaction, Task<T>> write, CancellationToken cancellation)
    {
        if (!await writing.WaitAsync(WriterPatience, cancellation))
        {
            throw new UnavailableException($"The registry's database cannot be used now: writes have waited for {WriterPatience.TotalSeconds} s.");
        }

        try
        {
            return await UseAsync(() => WriteAloneAsync(write, cancellation));
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

    private static DbDataSource OpenFile(string dataPath)
    {
        string folder = Path.GetFullPath(dataPath);
        _ = Directory.CreateDirectory(folder);
        var builder = new SqliteConnectionStringBuilder { DataSource = Path.Combine(folder, "registry.db"), ForeignKeys = true };
        return SqliteFactory.Instance.CreateDataSource(builder.ToString());
    }

    // A server that is gone or hangs must not hold up callers; what the connection string says goes first.
    private static string WithTimeouts(string connectionString)
    {
        var builder = new NpgsqlConnectionStringBuilder { Timeout = 5, CommandTimeout = 15, CancellationTimeout = 1000, KeepAlive = 15 };
        var given = new DbConnectionStringBuilder { ConnectionString = connectionString };
        foreach (string key in given.Keys)
        {
            builder[key] = given[key];
        }

        return builder.ToString();
    }

    private async Task<T> WriteAloneAsync<T>(Func<DbTransaction, Task<T>> write, CancellationToken cancellation)
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
            catch (PostgresException e)
                when (e.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure && attempt < WriteAttempts)
            {
                // Nothing was written.
            }
        }
    }

    private static async Task<T> UseAsync<T>(Func<Task<T>> use)
    {
        try
        {
            return await use();
        }
        catch (NpgsqlException e) when (IsOutage(e))
        {
            throw new UnavailableException($"The registry's database cannot be used now: {e.Message}", e);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED)
        {
            throw new UnavailableException($"The registry's database cannot be used now: {e.Message}", e);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == SQLitePCL.raw.SQLITE_FULL)
        {
            const int NoSpace = 28; // ENOSPC
            throw new IOException(e.Message, NoSpace);
        }
    }

    private static bool IsOutage(NpgsqlException e) => e is not PostgresException server
        || server.IsTransient
        || server.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown;

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
        var scripts = Migrations.For(sqlite);
        if (schema > scripts.Count)
        {
            throw new InvalidOperationException(
                $"The database has schema {schema} and this registry knows up to {scripts.Count}: run a newer registry.");
        }

        foreach (string script in scripts.Skip((int)schema))
        {
            await connection.ExecuteAsync(script, transaction: transaction, commandTimeout: MigrationSeconds);
        }

        if (schema < Migrations.History)
        {
            await upgrade.RunAsync(transaction); // after all scripts: it uses the tables as this registry knows them
        }

        await connection.ExecuteAsync(
            sqlite ? $"PRAGMA user_version = {scripts.Count}" : $"UPDATE schema_version SET version = {scripts.Count}", transaction: transaction);
        await transaction.CommitAsync();
    }

    // A replica that starts while another one migrates waits for it.
    private static async Task<long> SchemaOfPostgresAsync(DbTransaction transaction)
    {
        var connection = transaction.Connection!;
        await connection.ExecuteAsync("SELECT pg_advisory_xact_lock(@WriterLock)", new { WriterLock }, transaction, MigrationSeconds);
        await connection.ExecuteAsync("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", transaction: transaction);
        await connection.ExecuteAsync("INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)", transaction: transaction);
        return await connection.ExecuteScalarAsync<long>("SELECT version FROM schema_version", transaction: transaction);
    }
}
