using Fleet.Registry.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Catalog;

/// <summary>Opens connections to the SQLite file.</summary>
internal sealed class CatalogDatabase : IDisposable
{
    private readonly string connectionString;

    public CatalogDatabase(IOptions<RegistryOptions> options, RegistryDatabase _) => connectionString = new SqliteConnectionStringBuilder
    {
        DataSource = Path.Combine(Path.GetFullPath(options.Value.DataPath), "registry.db"),
        ForeignKeys = true,
    }.ToString();

    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA synchronous = FULL";
        _ = command.ExecuteNonQuery();
        return connection;
    }

    public void Dispose()
    {
        using var connection = new SqliteConnection(connectionString);
        SqliteConnection.ClearPool(connection);
    }
}
