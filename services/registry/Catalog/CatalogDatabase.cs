using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Catalog;

/// <summary>The SQLite file: opens connections and brings an older schema up to date by itself.</summary>
internal sealed class CatalogDatabase : IDisposable
{
    /// <summary>Script i brings schema i to schema i + 1. Scripts that have been released are never edited.</summary>
    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE manifests (
            digest TEXT PRIMARY KEY,
            content BLOB NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE versions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            model TEXT NOT NULL,
            digest TEXT NOT NULL REFERENCES manifests (digest),
            created_at INTEGER NOT NULL,
            size INTEGER NOT NULL,
            traits BLOB NOT NULL,
            description TEXT NOT NULL,
            UNIQUE (model, digest)
        );
        CREATE INDEX versions_by_digest ON versions (digest);

        CREATE TABLE aliases (
            model TEXT NOT NULL,
            name TEXT NOT NULL,
            digest TEXT NOT NULL,
            updated_at INTEGER NOT NULL,
            PRIMARY KEY (model, name),
            FOREIGN KEY (model, digest) REFERENCES versions (model, digest)
        ) WITHOUT ROWID;
        """,
    ];

    private readonly string connectionString;

    public CatalogDatabase(IOptions<RegistryOptions> options)
    {
        string folder = Path.GetFullPath(options.Value.DataPath);
        _ = Directory.CreateDirectory(folder);
        connectionString = new SqliteConnectionStringBuilder { DataSource = Path.Combine(folder, "registry.db"), ForeignKeys = true }.ToString();
        Migrate();
    }

    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();

        // FULL: in WAL mode a commit is on disk only then, and a published version must not be forgotten.
        Execute(connection, "PRAGMA synchronous = FULL");
        return connection;
    }

    /// <summary>Closes the pooled connections, which writes the log back into the database file.</summary>
    public void Dispose()
    {
        using var connection = new SqliteConnection(connectionString);
        SqliteConnection.ClearPool(connection);
    }

    private static void Execute(SqliteConnection connection, string sql, SqliteTransaction? transaction = null)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Transaction = transaction;
        _ = command.ExecuteNonQuery();
    }

    private static long SchemaOf(SqliteConnection connection, SqliteTransaction transaction)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        command.Transaction = transaction;
        return (long)command.ExecuteScalar()!;
    }

    private void Migrate()
    {
        using var connection = Open();
        Execute(connection, "PRAGMA journal_mode = WAL");

        using var transaction = connection.BeginTransaction();
        long schema = SchemaOf(connection, transaction);
        if (schema > Migrations.Length)
        {
            throw new InvalidOperationException(
                $"'{connection.DataSource}' has schema {schema} and this registry knows up to {Migrations.Length}: run a newer registry");
        }

        foreach (string script in Migrations.Skip((int)schema))
        {
            Execute(connection, script, transaction);
        }

        Execute(connection, $"PRAGMA user_version = {Migrations.Length}", transaction);
        transaction.Commit();
    }
}
