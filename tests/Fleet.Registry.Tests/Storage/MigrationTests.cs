using System.Data.Common;
using System.Text;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Audit;
using Fleet.Registry.Catalog;
using Fleet.Registry.Storage;
using Fleet.Testing;
using Google.Protobuf;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using Npgsql;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Tests.Storage;

public sealed class MigrationTestsOnSqlite() : MigrationTests(TestDatabase.Sqlite)
{
    // Word for word what the registry of version 0.1 made, before the scripts were files.
    private const string FirstRelease =
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
        """;

    [Fact]
    public async Task Open_OfADatabaseOfTheFirstRelease_KeepsItsVersionsAndAliases()
    {
        await MakeAsync([FirstRelease], CatalogTest.ManifestOf(5));

        await using var database = Open();

        (await ListAsync(database, new ListVersionsRequest { Search = "first" })).Should().ContainSingle().Which.Aliases.Should().Equal("stable");
        (await new LogVerifier(database).VerifyAsync((0, ByteString.Empty), Cancellation)).Faults.Should().BeEmpty();
    }

    [Theory]
    [InlineData(1, "9314d8cbb20a42801ddcc4e7f07d18e6a61b1a4c55cb820138e36b4acc8b8258")]
    public void Script_ThatWasReleased_IsNotEdited(int number, string digest) =>
        Digest.Of(Encoding.UTF8.GetBytes(Migrations.For(sqlite: true)[number - 1])).Hex.Should().Be(digest);
}

public sealed class MigrationTestsOnPostgres() : MigrationTests(TestDatabase.Postgres);

public abstract class MigrationTests(TestDatabase kind) : IAsyncLifetime
{
    private static readonly VersionTraits Traits = new() { Family = "sd1", Dtype = "F16" };

    private readonly TemporaryFolder folder = new();
    private RegistryOptions options = null!;

    public static TheoryData<int> EarlierSchemas => [.. Enumerable.Range(0, Migrations.For(sqlite: true).Count)];

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => options = new RegistryOptions
    {
        DataPath = folder.Path,
        Database = kind == TestDatabase.Postgres ? await SharedPostgres.CreateDatabaseAsync() : "",
    };

    public async ValueTask DisposeAsync()
    {
        if (options is { Database: not "" })
        {
            await SharedPostgres.DropDatabaseAsync(options.Database);
        }

        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [MemberData(nameof(EarlierSchemas))]
    public async Task Open_OfAnEarlierSchema_KeepsItsVersionsAndAliases(int schema)
    {
        var manifest = CatalogTest.ManifestOf(5, 7);
        await MakeAsync(schema, manifest);

        await using var database = Open();

        var versions = await ListAsync(database, new ListVersionsRequest());
        versions.Select(version => (version.Digest, version.Description, version.Traits)).Should().Equal(
            schema == 0 ? [] : [(ManifestForm.DigestOf(manifest).Version, "The first", Traits)]);
        versions.SelectMany(version => version.Aliases).Should().Equal(schema == 0 ? [] : ["stable"]);
    }

    [Fact]
    public async Task Open_OfSchemaOne_FillsWhatListsFilterBy()
    {
        await MakeAsync(1, CatalogTest.ManifestOf(5));

        await using var database = Open();

        (await ListAsync(database, new ListVersionsRequest { Search = "FIRST", Family = "sd1", Dtype = "F16", Kind = "pipeline" })).Should().ContainSingle();
    }

    [Fact]
    public async Task Open_OfSchemaOne_BeginsTheLogWithWhatIsThere()
    {
        var manifest = CatalogTest.ManifestOf(5, 7);
        await MakeAsync(1, manifest);

        await using var database = Open();

        string digest = ManifestForm.DigestOf(manifest).Version;
        var entries = (await new AuditHistory(database).ListAsync(AuditFilter.Parse(new ListEntriesRequest()), false, 10, 0, Cancellation)).Entries;
        entries.Select(entry => (entry.Action, entry.Subject, entry.Actor)).Should().Equal(
            ("version.publish", digest, "upgrade"), ("alias.set", "stable", "upgrade"));
        entries[1].Details["since"].Should().Be("1970-01-01T00:00:02.0000000+00:00");
        (await new LogVerifier(database).VerifyAsync((0, ByteString.Empty), Cancellation)).Faults.Should().BeEmpty();
        var usage = await new Quotas(database, new AuditLog(TimeProvider.System)).ListAsync(Cancellation);
        usage.Should().ContainSingle().Which.Should().Be(new Usage { Namespace = "acme", Bytes = 12, Versions = 1 });
    }

    [Fact]
    public async Task Open_BySeveralReplicasAtOnce_OfAnEmptyDatabase_MakesOneSchema()
    {
        var opened = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(Open)));

        foreach (var database in opened)
        {
            (await ListAsync(database, new ListVersionsRequest())).Should().BeEmpty();
            await database.DisposeAsync();
        }
    }

    [Fact]
    public async Task Open_Again_ChangesNothing()
    {
        await MakeAsync(1, CatalogTest.ManifestOf(5));
        await Open().DisposeAsync();
        await using var database = Open();

        long entries = await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM audit_log"), Cancellation);

        entries.Should().Be(2);
    }

    private protected RegistryDatabase Open() => new(Options.Create(options), TimeProvider.System);

    private protected static async Task<IReadOnlyList<Version>> ListAsync(RegistryDatabase database, ListVersionsRequest request)
    {
        var catalog = CatalogTest.CatalogOf(database, TimeProvider.System);
        return (await catalog.ListAsync(VersionFilter.Parse(request), 10, 0, Cancellation)).Versions;
    }

    private Task MakeAsync(int schema, Manifest manifest) => MakeAsync([.. Migrations.For(kind == TestDatabase.Sqlite).Take(schema)], manifest);

    /// <summary>A database as an earlier registry left it, with one version and its alias.</summary>
    private protected async Task MakeAsync(IReadOnlyCollection<string> scripts, Manifest manifest)
    {
        bool sqlite = kind == TestDatabase.Sqlite;
        await using DbConnection connection = sqlite
            ? new SqliteConnection($"Data Source={folder["registry.db"]};Pooling=False")
            : new NpgsqlConnection(options.Database + ";Pooling=False");
        await connection.OpenAsync(Cancellation);
        foreach (string script in scripts)
        {
            await connection.ExecuteAsync(script);
        }

        await connection.ExecuteAsync(sqlite
            ? $"PRAGMA user_version = {scripts.Count}"
            : $"CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES ({scripts.Count})");
        if (scripts.Count > 0)
        {
            var row = new { Digest = ManifestForm.DigestOf(manifest).Hex, Content = manifest.ToByteArray(), Traits = Traits.ToByteArray(), Size = manifest.Files.Sum(file => file.Size) };
            await connection.ExecuteAsync("INSERT INTO manifests (digest, content) VALUES (@Digest, @Content)", row);
            await connection.ExecuteAsync(
                """
                INSERT INTO versions (model, digest, created_at, size, traits, description) VALUES ('acme/tiny', @Digest, 1000, @Size, @Traits, 'The first');
                INSERT INTO aliases (model, name, digest, updated_at) VALUES ('acme/tiny', 'stable', @Digest, 2000)
                """,
                row);
        }
    }
}
