using Testcontainers.PostgreSql;

namespace Fleet.Registry.Tests.Storage;

/// <summary>A PostgreSQL server in a container.</summary>
internal sealed class ContainerPostgres(PostgreSqlContainer container) : IPostgresServer
{
    public string ConnectionString => container.GetConnectionString();

    public static async Task<ContainerPostgres> StartAsync()
    {
        var container = new PostgreSqlBuilder("postgres:17-alpine").WithCommand("-c", "fsync=off", "-c", "max_connections=300").Build();
        await container.StartAsync();
        return new ContainerPostgres(container);
    }

    public ValueTask DisposeAsync() => container.DisposeAsync();
}
