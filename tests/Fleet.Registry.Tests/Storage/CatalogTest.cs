using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Catalog;
using Fleet.Registry.Signatures;
using Fleet.Registry.Storage;
using Google.Protobuf;
using Microsoft.Extensions.Options;

namespace Fleet.Registry.Tests.Storage;

/// <summary>A catalog over an empty database, without the service around it: its versions need no weights, and its clock obeys.</summary>
public abstract class CatalogTest(TestDatabase kind) : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private string connectionString = "";

    private protected static readonly Actor Someone = new("someone");

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected SetClock Clock { get; } = new();

    private protected RegistryDatabase Database { get; private set; } = null!;

    private protected VersionCatalog Catalog { get; private set; } = null!;

    private protected Quotas Quotas { get; private set; } = null!;

    private protected AuditHistory History { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        connectionString = kind == TestDatabase.Postgres ? await SharedPostgres.CreateDatabaseAsync() : "";
        Database = Open();
        Catalog = CatalogOf(Database, Clock);
        Quotas = new Quotas(Database, new AuditLog(Clock));
        History = new AuditHistory(Database);
    }

    public async ValueTask DisposeAsync()
    {
        await (Database?.DisposeAsync() ?? ValueTask.CompletedTask);
        if (connectionString != "")
        {
            await SharedPostgres.DropDatabaseAsync(connectionString);
        }

        folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The same database once more, as another replica opens it.</summary>
    private protected RegistryDatabase Open() => new(Options.Create(new RegistryOptions { DataPath = folder.Path, Database = connectionString }), Clock);

    internal static VersionCatalog CatalogOf(RegistryDatabase database, TimeProvider time, params IVersionReferences[] references)
    {
        var audit = new AuditLog(time);
        var signatures = new SignatureStore(database, new SignatureChecks(Options.Create(new SignatureOptions())), audit, time);
        return new VersionCatalog(database, signatures, audit, references, time);
    }

    /// <summary>A version with one file per size given; the same sizes give the same version.</summary>
    private protected async Task<Digest> PublishAsync(string model, long[] sizes, VersionMetadata? metadata = null, params string[] aliases)
    {
        var manifest = ManifestOf(sizes);
        await Catalog.PublishAsync(new NewVersion(model, manifest, "", metadata ?? new VersionMetadata(), aliases), new VersionTraits(), Someone, Cancellation);
        return ManifestForm.DigestOf(manifest);
    }

    internal static Manifest ManifestOf(params long[] sizes)
    {
        var manifest = new Manifest();
        foreach (long size in sizes)
        {
            var sha256 = Digest.Of(BitConverter.GetBytes(size)).ToByteString();
            manifest.Files.Add(new ManifestFile { Path = $"file-{size}", Size = size, Sha256 = sha256, Parts = { new ManifestPart { Sha256 = sha256, Size = size } } });
        }

        return ManifestForm.Canonical(manifest);
    }

    private protected Task<int> ExecuteAsync(string sql, object? parameters = null) =>
        Database.WriteAsync(transaction => transaction.Connection!.ExecuteAsync(sql, parameters, transaction), Cancellation);

    private protected async Task<IReadOnlyList<string>> FindFaultsAsync(long knownEntries = 0, ByteString? knownHead = null) =>
        (await new LogVerifier(Database).VerifyAsync((knownEntries, knownHead ?? ByteString.Empty), Cancellation)).Faults;
}
