using System.Data.Common;
using System.Globalization;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Signatures;
using Fleet.Registry.Storage;
using Google.Protobuf;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Catalog;

/// <summary>What the registry knows of versions: their manifests, traits and aliases. Writing is one transaction each, told to the audit log.</summary>
internal sealed partial class VersionCatalog(
    RegistryDatabase database, SignatureStore signatures, AuditLog audit, IEnumerable<IVersionReferences> references, TimeProvider time)
{
    // Of a page of versions: half of what a message may have.
    private const int MaxPageBytes = FleetDefaults.MaxMessageBytes / 2;

    /// <summary>
    /// Adds a version and points aliases at it. A version that is known stays as it is. <paramref name="alongside"/> writes what belongs to
    /// the version in the same transaction; it is called for known versions too.
    /// </summary>
    public Task<(Version Version, bool Created)> PublishAsync(
        NewVersion version, VersionTraits traits, Actor actor, CancellationToken cancellation, Func<DbTransaction, Task>? alongside = null)
    {
        var digest = ManifestForm.DigestOf(version.Manifest);
        return database.WriteAsync(async transaction =>
        {
            bool created = await InsertAsync(transaction, version, digest, traits, actor);
            foreach (string alias in version.Aliases)
            {
                await PublishAliasAsync(transaction, version.Model, alias, digest, actor);
            }

            foreach (var signature in version.Signatures)
            {
                await signatures.AddAsync(transaction, digest, signature, actor);
            }

            await (alongside?.Invoke(transaction) ?? Task.CompletedTask);
            return ((await FindAsync(transaction, version.Model, digest))!, created);
        }, cancellation);
    }

    /// <summary>A version of this model, or null.</summary>
    public Task<Version?> FindAsync(string model, Digest digest, CancellationToken cancellation) =>
        database.ReadAsync(connection => FindAsync(connection, model, digest), cancellation);

    /// <summary>A version of this model, or null, as the transaction sees it.</summary>
    public static Task<Version?> FindAsync(DbTransaction transaction, string model, Digest digest) =>
        FindAsync(transaction.Connection!, model, digest, transaction);

    /// <summary>The version that a reference names; see registry.proto.</summary>
    public Task<Version> ResolveAsync(VersionReference reference, CancellationToken cancellation) =>
        database.ReadAsync(connection => reference.DigestPrefix == "" ? FindByAliasAsync(connection, reference) : FindByPrefixAsync(connection, reference), cancellation);

    /// <summary>The manifest of a version, in canonical form.</summary>
    public Task<Manifest> ReadManifestAsync(Digest digest, CancellationToken cancellation) => database.ReadAsync(async connection =>
    {
        byte[]? content = await connection.ExecuteScalarAsync<byte[]?>("SELECT content FROM manifests WHERE digest = @Hex", new { digest.Hex });
        return content is null ? throw new NotFoundException($"the registry has no version {digest.Version}") : Manifest.Parser.ParseFrom(content);
    }, cancellation);

    /// <summary>A page of versions, newest first, and where the next one begins; 0 when there is none.</summary>
    public Task<(IReadOnlyList<Version> Versions, long Next)> ListAsync(VersionFilter filter, int pageSize, long before, CancellationToken cancellation) =>
        database.ReadAsync<(IReadOnlyList<Version>, long)>(async connection =>
        {
            filter.Parameters.Add("Before", before);
            filter.Parameters.Add("Limit", pageSize + 1L);
            var page = new List<VersionRow>();
            bool more = false;
            int bytes = 0;
            await foreach (var row in connection.QueryUnbufferedAsync<VersionRow>(
                $"{VersionRow.Select} WHERE {filter.Where} AND (@Before = 0 OR id < @Before) ORDER BY id DESC LIMIT @Limit", filter.Parameters)
                .WithCancellation(cancellation))
            {
                bytes += row.MessageBytes;
                more = page.Count == pageSize || (page.Count > 0 && bytes > MaxPageBytes);
                if (more)
                {
                    break;
                }

                page.Add(row);
            }

            return (await WithAliasesAsync(connection, page), more ? page[^1].Id : 0);
        }, cancellation);

    private static async Task<List<VersionRow>> ReadRowsAsync(DbConnection connection, string where, object parameters, DbTransaction? transaction = null) =>
        (await connection.QueryAsync<VersionRow>($"{VersionRow.Select} {where}", parameters, transaction)).AsList();

    private static async Task<IReadOnlyList<Version>> WithAliasesAsync(
        DbConnection connection, IReadOnlyCollection<VersionRow> rows, DbTransaction? transaction = null)
    {
        if (rows.Count == 0)
        {
            return [];
        }

        var aliases = await connection.QueryAsync<(long Id, string Name)>(
            """
            SELECT versions.id, aliases.name FROM aliases JOIN versions ON versions.model = aliases.model AND versions.digest = aliases.digest
            WHERE versions.id BETWEEN @First AND @Last
            """,
            new { First = rows.Min(row => row.Id), Last = rows.Max(row => row.Id) }, transaction);
        var names = aliases.OrderBy(alias => alias.Name, StringComparer.Ordinal).ToLookup(alias => alias.Id, alias => alias.Name);
        var counted = await connection.QueryAsync<(long Id, long Count)>(
            """
            SELECT versions.id, COUNT(*) FROM signatures JOIN versions ON versions.digest = signatures.digest
            WHERE versions.id BETWEEN @First AND @Last GROUP BY versions.id
            """,
            new { First = rows.Min(row => row.Id), Last = rows.Max(row => row.Id) }, transaction);
        var counts = counted.ToDictionary(count => count.Id, count => count.Count);
        return [.. rows.Select(row => row.ToVersion(names[row.Id], counts.GetValueOrDefault(row.Id)))];
    }

    private static async Task<Version?> FindAsync(DbConnection connection, string model, Digest digest, DbTransaction? transaction = null)
    {
        var rows = await ReadRowsAsync(connection, "WHERE model = @Model AND digest = @Hex", new { Model = model, digest.Hex }, transaction);
        return (await WithAliasesAsync(connection, rows, transaction)).SingleOrDefault();
    }

    private static async Task<Version> FindByAliasAsync(DbConnection connection, VersionReference reference)
    {
        string alias = reference.Alias == "" ? VersionReference.DefaultAlias : reference.Alias;
        var rows = await ReadRowsAsync(connection,
            "WHERE model = @Model AND digest = (SELECT digest FROM aliases WHERE model = @Model AND name = @Alias)", new { reference.Model, Alias = alias });
        if (rows.Count == 0)
        {
            rows = await ReadRowsAsync(connection, "WHERE model = @Model ORDER BY CASE deprecated WHEN '' THEN 0 ELSE 1 END, id DESC LIMIT 1", new { reference.Model });
            await RequireNewestAsync(connection, reference, rows.SingleOrDefault());
        }

        return (await WithAliasesAsync(connection, rows)).Single();
    }

    private static async Task RequireNewestAsync(DbConnection connection, VersionReference reference, VersionRow? newest)
    {
        if (newest is null)
        {
            throw new NotFoundException($"the registry has no model '{reference.Model}'");
        }

        if (reference.Alias != "")
        {
            throw new NotFoundException(
                $"model '{reference.Model}' has no alias '{reference.Alias}'; it has: {await ShowAliasesAsync(connection, reference.Model)}");
        }

        if (newest.Deprecated != "")
        {
            throw new NotFoundException($"model '{reference.Model}' has deprecated versions only; name one by its digest or an alias");
        }
    }

    private static async Task<Version> FindByPrefixAsync(DbConnection connection, VersionReference reference)
    {
        // Hexadecimal digits that begin so are those up to, and without, the same followed by a letter after f; an index answers this, not LIKE.
        var rows = await ReadRowsAsync(connection,
            "WHERE (@Model = '' OR model = @Model) AND digest >= @DigestPrefix AND digest < @DigestPrefix || 'g' ORDER BY id LIMIT 100",
            new { reference.Model, reference.DigestPrefix });
        string name = (reference.Model == "" ? "" : reference.Model + "@") + Digest.VersionPrefix + reference.DigestPrefix;
        return rows.DistinctBy(row => row.Digest).Count() switch
        {
            0 => throw new NotFoundException($"the registry has no version {name}"),
            1 => (await WithAliasesAsync(connection, [rows[0]]))[0], // the first of the models that hold these files
            _ => throw new InvalidRequestException("reference", name, "give more digits: more than one version begins with these"),
        };
    }

    private async Task<bool> InsertAsync(DbTransaction transaction, NewVersion version, Digest digest, VersionTraits traits, Actor actor)
    {
        var connection = transaction.Connection!;
        int manifests = await connection.ExecuteAsync(
            "INSERT INTO manifests (digest, content) VALUES (@Hex, @Content) ON CONFLICT (digest) DO NOTHING",
            new { digest.Hex, Content = version.Manifest.ToByteArray() }, transaction);
        if (manifests > 0)
        {
            await ManifestBlobs.InsertAsync(transaction, digest, version.Manifest);
        }

        var row = VersionRow.Of(version, digest, traits, time.UnixMilliseconds());
        if (await connection.ExecuteAsync(VersionRow.Insert, row, transaction) == 0)
        {
            return false;
        }

        await RequireBaseAsync(transaction, version.Metadata, digest);
        await Quotas.RequireRoomAsync(transaction, row.Namespace);
        var details = MetadataFields.Summary(row.Description, row.Metadata).ToDictionary();
        details[AuditActions.Size] = row.Size.ToString(CultureInfo.InvariantCulture);
        await audit.AppendAsync(transaction, actor, AuditActions.PublishVersion, version.Model, digest.Version, details);
        return true;
    }
}
