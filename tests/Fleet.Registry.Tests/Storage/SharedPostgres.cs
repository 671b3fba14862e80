using Dapper;
using Fleet.Registry.Tests.Storage;
using Npgsql;

[assembly: AssemblyFixture(typeof(SharedPostgres))]

namespace Fleet.Registry.Tests.Storage;

/// <summary>
/// The PostgreSQL server of a test run, started when the first test asks for it: in a container when a container engine answers, else from the
/// programs on this machine. Where neither is there, tests that need it are skipped and say why.
/// </summary>
public sealed class SharedPostgres : IAsyncDisposable
{
    private static readonly Lazy<Task<IPostgresServer>> Server = new(StartAsync);

    /// <summary>The connection string of a new, empty database, in which text is sorted as people do, not by bytes.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var server = await ServerAsync();
        string name = $"test_{Guid.NewGuid():N}";
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.ExecuteAsync($"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' STRATEGY file_copy");
        return new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = name }.ToString();
    }

    /// <summary>Removes a database of <see cref="CreateDatabaseAsync"/>.</summary>
    public static async Task DropDatabaseAsync(string connectionString)
    {
        await using var connection = new NpgsqlConnection((await ServerAsync()).ConnectionString);
        await connection.ExecuteAsync($"DROP DATABASE {new NpgsqlConnectionStringBuilder(connectionString).Database} WITH (FORCE)");
    }

    public async ValueTask DisposeAsync()
    {
        if (Server is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            await (await Server.Value).DisposeAsync();
        }
    }

    private static async Task<IPostgresServer> ServerAsync()
    {
        try
        {
            return await Server.Value;
        }
        catch (Exception exception)
        {
            Assert.Skip($"there is no PostgreSQL server: {exception.Message}");
            throw;
        }
    }

    private static async Task<IPostgresServer> StartAsync()
    {
        try
        {
            return await ContainerPostgres.StartAsync();
        }
        catch (Exception container)
        {
            try
            {
                return await LocalPostgres.StartAsync();
            }
            catch (Exception local)
            {
                throw new InvalidOperationException($"in a container: {container.Message}; from this machine: {local.Message}", local);
            }
        }
    }
}
