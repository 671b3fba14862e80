namespace Fleet.Registry.Tests.Storage;

/// <summary>The database that a class of tests runs on.</summary>
public enum TestDatabase
{
    Sqlite,
    Postgres,
}
