namespace Fleet.Registry.Tests.Storage;

internal interface IPostgresServer : IAsyncDisposable
{
    /// <summary>To its database "postgres", as an owner of everything.</summary>
    string ConnectionString { get; }
}
