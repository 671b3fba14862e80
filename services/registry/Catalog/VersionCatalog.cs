using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Data.Sqlite;
using Version = Fleet.Contracts.Registry.V1.Version;

namespace Fleet.Registry.Catalog;

/// <summary>What the registry knows of versions: their manifests, traits and aliases. Writing is one transaction each.</summary>
internal sealed class VersionCatalog(CatalogDatabase database, TimeProvider time)
{
    /// <summary>What an alias that does not exist points at, to SetAlias.</summary>
    public const string NoVersion = "none";

    private const string SelectVersions = "SELECT id, model, digest, created_at, size, traits, description FROM versions ";

    // One writer at a time in this process: SQLite makes others poll for its lock, which is slow when many wait.
    private readonly Lock writing = new();

    /// <summary>Adds a version and points aliases at it. A version that is known stays as it is.</summary>
    public (Version Version, bool Created) Publish(
        string model, Manifest manifest, VersionTraits traits, string description, IReadOnlyCollection<string> aliases)
    {
        var digest = ManifestForm.DigestOf(manifest);
        lock (writing)
        {
            using var connection = database.Open();
            using var transaction = connection.BeginTransaction();
            _ = Execute(connection, "INSERT OR IGNORE INTO manifests (digest, content) VALUES ($digest, $content)",
                ("$digest", digest.Hex), ("$content", manifest.ToByteArray()));
            int created = Execute(connection,
                """
                INSERT OR IGNORE INTO versions (model, digest, created_at, size, traits, description)
                VALUES ($model, $digest, $now, $size, $traits, $description)
                """,
                ("$model", model), ("$digest", digest.Hex), ("$now", Now()), ("$size", manifest.Files.Sum(file => file.Size)),
                ("$traits", traits.ToByteArray()), ("$description", description));
            foreach (string alias in aliases)
            {
                PointAlias(connection, model, alias, digest);
            }

            transaction.Commit();
            return (Find(model, digest)!, created > 0);
        }
    }

    /// <summary>A version of this model, or null.</summary>
    public Version? Find(string model, Digest digest)
    {
        using var connection = database.Open();
        return ReadVersions(connection, "WHERE model = $model AND digest = $digest", ("$model", model), ("$digest", digest.Hex)).SingleOrDefault();
    }

    /// <summary>The version that a reference names; see registry.proto.</summary>
    public Version Resolve(VersionReference reference)
    {
        using var connection = database.Open();
        if (reference.DigestPrefix != "")
        {
            return FindByPrefix(connection, reference);
        }

        string alias = reference.Alias == "" ? VersionReference.DefaultAlias : reference.Alias;
        var byAlias = ReadVersions(connection,
            "WHERE model = $model AND digest = (SELECT digest FROM aliases WHERE model = $model AND name = $alias)",
            ("$model", reference.Model), ("$alias", alias)).SingleOrDefault();
        if (byAlias is not null)
        {
            return byAlias;
        }

        var newest = ReadVersions(connection, "WHERE model = $model ORDER BY id DESC LIMIT 1", ("$model", reference.Model)).SingleOrDefault()
            ?? throw new NotFoundException($"the registry has no model '{reference.Model}'");
        return reference.Alias == ""
            ? newest
            : throw new NotFoundException($"model '{reference.Model}' has no alias '{alias}'; it has: {ShowAliases(reference.Model)}");
    }

    /// <summary>The manifest of a version, in canonical form.</summary>
    public Manifest ReadManifest(Digest digest)
    {
        using var connection = database.Open();
        using var command = Command(connection, "SELECT content FROM manifests WHERE digest = $digest", ("$digest", digest.Hex));
        return command.ExecuteScalar() is byte[] content
            ? Manifest.Parser.ParseFrom(content)
            : throw new NotFoundException($"the registry has no version {digest.Version}");
    }

    /// <summary>A page of versions, newest first, and where the next one begins; 0 when there is none.</summary>
    public (IReadOnlyList<Version> Versions, long Next) List(string model, int pageSize, long before)
    {
        using var connection = database.Open();
        var ids = new List<long>();
        var versions = ReadVersions(connection,
            "WHERE ($model = '' OR model = $model) AND ($before = 0 OR id < $before) ORDER BY id DESC LIMIT $limit",
            ids, ("$model", model), ("$before", before), ("$limit", pageSize + 1));
        return versions.Count > pageSize ? (versions[..pageSize], ids[pageSize - 1]) : (versions, 0);
    }

    /// <summary>Points an alias at a version if it points at <paramref name="expected"/> now; see registry.proto for its forms.</summary>
    public Alias SetAlias(string model, string alias, Digest version, string expected)
    {
        lock (writing)
        {
            using var connection = database.Open();
            using var transaction = connection.BeginTransaction();
            if (ReadVersions(connection, "WHERE model = $model AND digest = $digest", ("$model", model), ("$digest", version.Hex)).Count == 0)
            {
                throw new NotFoundException($"model '{model}' has no version {version.Version}");
            }

            string now = Aliases(connection, model).FirstOrDefault(known => known.Name == alias)?.Version ?? NoVersion;
            if (expected != "" && expected != now)
            {
                throw new AbortedException($"alias '{model}@{alias}' points at {now}, not at the expected {expected}");
            }

            PointAlias(connection, model, alias, version);
            transaction.Commit();
            return Aliases(connection, model).Single(known => known.Name == alias);
        }
    }

    public void DeleteAlias(string model, string alias)
    {
        lock (writing)
        {
            using var connection = database.Open();
            if (Execute(connection, "DELETE FROM aliases WHERE model = $model AND name = $alias", ("$model", model), ("$alias", alias)) == 0)
            {
                throw new NotFoundException($"model '{model}' has no alias '{alias}'; it has: {ShowAliases(model)}");
            }
        }
    }

    /// <summary>Aliases of a model, or of all models when it is empty.</summary>
    public IReadOnlyList<Alias> ListAliases(string model)
    {
        using var connection = database.Open();
        return Aliases(connection, model);
    }

    /// <summary>Throws when the database does not answer.</summary>
    public void CheckReadable()
    {
        using var connection = database.Open();
        using var command = Command(connection, "SELECT COUNT(*) FROM aliases");
        _ = command.ExecuteScalar();
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = connection.CreateCommand(); // takes the connection's open transaction with it
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            _ = command.Parameters.AddWithValue(name, value);
        }

        return command;
    }

    private static int Execute(SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        using var command = Command(connection, sql, parameters);
        return command.ExecuteNonQuery();
    }

    private static Version FindByPrefix(SqliteConnection connection, VersionReference reference)
    {
        string name = (reference.Model == "" ? "" : reference.Model + "@") + Digest.VersionPrefix + reference.DigestPrefix;
        var matches = ReadVersions(connection,
            "WHERE ($model = '' OR model = $model) AND digest GLOB $prefix || '*' ORDER BY id LIMIT 100",
            ("$model", reference.Model), ("$prefix", reference.DigestPrefix));
        return matches.DistinctBy(version => version.Digest).Count() switch
        {
            0 => throw new NotFoundException($"the registry has no version {name}"),
            1 => matches[0], // the first of the models that hold these files
            _ => throw new InvalidRequestException("reference", name, "give more digits: more than one version begins with these"),
        };
    }

    private static List<Version> ReadVersions(SqliteConnection connection, string where, params ReadOnlySpan<(string, object)> parameters) =>
        ReadVersions(connection, where, [], parameters);

    private static List<Version> ReadVersions(
        SqliteConnection connection, string where, List<long> ids, params ReadOnlySpan<(string, object)> parameters)
    {
        var versions = new List<Version>();
        using (var command = Command(connection, SelectVersions + where, parameters))
        using (var reader = command.ExecuteReader())
        {
            while (reader.Read())
            {
                ids.Add(reader.GetInt64(0));
                versions.Add(new Version
                {
                    Model = reader.GetString(1),
                    Digest = Digest.VersionPrefix + reader.GetString(2),
                    CreatedAt = FromMilliseconds(reader.GetInt64(3)),
                    Size = reader.GetInt64(4),
                    Traits = VersionTraits.Parser.ParseFrom(reader.GetFieldValue<byte[]>(5)),
                    Description = reader.GetString(6),
                });
            }
        }

        foreach (var models in versions.GroupBy(version => version.Model))
        {
            var aliases = Aliases(connection, models.Key).ToLookup(alias => alias.Version, alias => alias.Name);
            foreach (var version in models)
            {
                version.Aliases.AddRange(aliases[version.Digest]);
            }
        }

        return versions;
    }

    private static List<Alias> Aliases(SqliteConnection connection, string model)
    {
        using var command = Command(connection,
            "SELECT model, name, digest, updated_at FROM aliases WHERE $model = '' OR model = $model ORDER BY model, name", ("$model", model));
        using var reader = command.ExecuteReader();
        var aliases = new List<Alias>();
        while (reader.Read())
        {
            aliases.Add(new Alias
            {
                Model = reader.GetString(0),
                Name = reader.GetString(1),
                Version = Digest.VersionPrefix + reader.GetString(2),
                UpdatedAt = FromMilliseconds(reader.GetInt64(3)),
            });
        }

        return aliases;
    }

    private static Timestamp FromMilliseconds(long milliseconds) =>
        Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));

    private void PointAlias(SqliteConnection connection, string model, string alias, Digest digest) =>
        Execute(connection,
            """
            INSERT INTO aliases (model, name, digest, updated_at) VALUES ($model, $alias, $digest, $now)
            ON CONFLICT DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at
            """,
            ("$model", model), ("$alias", alias), ("$digest", digest.Hex), ("$now", Now()));

    private string ShowAliases(string model)
    {
        var names = ListAliases(model).Select(alias => alias.Name).ToList();
        return names.Count == 0 ? "none" : string.Join(", ", names);
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
