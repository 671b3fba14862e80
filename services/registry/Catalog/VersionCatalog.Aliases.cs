using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Catalog;

/// <summary>Aliases: names that move from version to version.</summary>
internal sealed partial class VersionCatalog
{
    /// <summary>What an alias that does not exist points at, to SetAlias.</summary>
    public const string NoVersion = "none";

    /// <summary>Points an alias at a version if it points at <paramref name="expected"/> now; see registry.proto for its forms.</summary>
    public Task<Alias> SetAliasAsync(string model, string alias, Digest version, string expected, Actor actor, CancellationToken cancellation) =>
        database.WriteAsync(transaction => SetAliasAsync(transaction, model, alias, version, expected, actor), cancellation);

    /// <summary>The same as a part of a larger change.</summary>
    public async Task<Alias> SetAliasAsync(DbTransaction transaction, string model, string alias, Digest version, string expected, Actor actor)
    {
        if (await FindAsync(transaction, model, version) is null)
        {
            throw new NotFoundException($"model '{model}' has no version {version.Version}");
        }

        var known = await FindAliasAsync(transaction, model, alias);
        string now = known?.Version ?? NoVersion;
        if (known is { Protected: not 0 } && expected == "")
        {
            throw new PreconditionException($"alias '{model}@{alias}' is protected: say with expected_version where it points now");
        }

        if (known is { Protected: not 0 } && actor.Role < Role.Operator)
        {
            throw new PermissionException($"alias '{model}@{alias}' is protected: moving it needs the role operator, and '{actor.Name}' is a {actor.Role.Name()}");
        }

        if (expected != "" && expected != now)
        {
            throw new AbortedException($"alias '{model}@{alias}' points at {now}, not at the expected {expected}");
        }

        await PointAliasAsync(transaction, model, alias, version, actor);
        return (await FindAliasAsync(transaction, model, alias))!.ToAlias();
    }

    /// <summary>Protects an alias, or lifts the protection.</summary>
    public Task<Alias> ProtectAliasAsync(string model, string alias, bool protect, Actor actor, CancellationToken cancellation) =>
        database.WriteAsync(async transaction =>
        {
            var known = await RequireAliasAsync(transaction, model, alias);
            if (known.Protected != 0 != protect)
            {
                await transaction.Connection!.ExecuteAsync(
                    "UPDATE aliases SET protected = @Flag WHERE model = @Model AND name = @Name",
                    new { Flag = protect ? 1L : 0L, known.Model, known.Name }, transaction);
                string action = protect ? AuditActions.ProtectAlias : AuditActions.UnprotectAlias;
                await audit.AppendAsync(transaction, actor, action, model, alias, new Dictionary<string, string>());
            }

            return (await FindAliasAsync(transaction, model, alias))!.ToAlias();
        }, cancellation);

    /// <summary>Removes an alias.</summary>
    public Task DeleteAliasAsync(string model, string alias, Actor actor, CancellationToken cancellation) => database.WriteAsync(async transaction =>
    {
        var known = await RequireAliasAsync(transaction, model, alias);
        if (known.Protected != 0)
        {
            throw new PreconditionException($"alias '{model}@{alias}' is protected: lift the protection first");
        }

        await transaction.Connection!.ExecuteAsync("DELETE FROM aliases WHERE model = @Model AND name = @Name", known, transaction);
        return await audit.AppendAsync(
            transaction, actor, AuditActions.DeleteAlias, model, alias, new Dictionary<string, string> { ["from"] = known.Version });
    }, cancellation);

    /// <summary>Aliases of a model, or of all models when it is empty, in order of name.</summary>
    public Task<IReadOnlyList<Alias>> ListAliasesAsync(string model, CancellationToken cancellation) => database.ReadAsync(async connection =>
    {
        var rows = await ReadAliasesAsync(connection, model);
        return (IReadOnlyList<Alias>)[.. rows.Select(row => row.ToAlias())];
    }, cancellation);

    private static async Task<IEnumerable<AliasRow>> ReadAliasesAsync(DbConnection connection, string model, DbTransaction? transaction = null)
    {
        var rows = await connection.QueryAsync<AliasRow>(AliasRow.Select + "WHERE @Model = '' OR model = @Model", new { Model = model }, transaction);
        return rows.OrderBy(row => row.Model, StringComparer.Ordinal).ThenBy(row => row.Name, StringComparer.Ordinal);
    }

    private static async Task<string> ShowAliasesAsync(DbConnection connection, string model, DbTransaction? transaction = null)
    {
        var names = (await ReadAliasesAsync(connection, model, transaction)).Select(row => row.Name).ToList();
        return names.Count == 0 ? "none" : string.Join(", ", names);
    }

    private static Task<AliasRow?> FindAliasAsync(DbTransaction transaction, string model, string alias) =>
        transaction.Connection!.QuerySingleOrDefaultAsync<AliasRow>(
            AliasRow.Select + "WHERE model = @Model AND name = @Alias", new { Model = model, Alias = alias }, transaction);

    private static async Task<AliasRow> RequireAliasAsync(DbTransaction transaction, string model, string alias) =>
        await FindAliasAsync(transaction, model, alias) ?? throw new NotFoundException(
            $"model '{model}' has no alias '{alias}'; it has: {await ShowAliasesAsync(transaction.Connection!, model, transaction)}");

    private async Task PublishAliasAsync(DbTransaction transaction, string model, string alias, Digest digest, Actor actor)
    {
        if (await FindAliasAsync(transaction, model, alias) is { Protected: not 0 } known && known.Digest != digest.Hex)
        {
            throw new PreconditionException($"alias '{model}@{alias}' is protected: publish without it, then move it with SetAlias and expected_version");
        }

        await PointAliasAsync(transaction, model, alias, digest, actor);
    }

    // An alias that points there already is left alone, so that a repeated call changes nothing.
    private async Task PointAliasAsync(DbTransaction transaction, string model, string alias, Digest digest, Actor actor)
    {
        string from = (await FindAliasAsync(transaction, model, alias))?.Version ?? NoVersion;
        if (from == digest.Version)
        {
            return;
        }

        await transaction.Connection!.ExecuteAsync(
            """
            INSERT INTO aliases (model, name, digest, updated_at) VALUES (@Model, @Alias, @Hex, @Now)
            ON CONFLICT (model, name) DO UPDATE SET digest = excluded.digest, updated_at = excluded.updated_at
            """,
            new { Model = model, Alias = alias, digest.Hex, Now = time.UnixMilliseconds() }, transaction);
        await audit.AppendAsync(transaction, actor, AuditActions.SetAlias, model, alias, new Dictionary<string, string>
        {
            ["from"] = from,
            ["to"] = digest.Version,
        });
    }
}
