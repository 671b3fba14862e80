using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Hosting;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Storage;

namespace Fleet.Registry.Signatures;

/// <summary>The signatures of versions. They are added and never changed; they go with their version.</summary>
internal sealed class SignatureStore(RegistryDatabase database, SignatureChecks checks, AuditLog audit, TimeProvider time)
{
    // All of a version's signatures go in one message.
    private const long MaxBytesOfVersion = 3 * 1024 * 1024;

    private const string AddSignature = "signature.add";

    public Task<CheckedSignature> AddAsync(Digest version, CheckedSignature signature, Actor actor, CancellationToken cancellation) =>
        database.WriteAsync(async transaction =>
        {
            await AddAsync(transaction, version, signature, actor);
            return (await ReadAsync(transaction.Connection!, version, transaction)).Single(stored => stored.Sha256 == signature.Sha256);
        }, cancellation);

    /// <summary>The same as a part of a larger change. A signature that is there already stays as it is.</summary>
    public async Task AddAsync(DbTransaction transaction, Digest version, CheckedSignature signature, Actor actor)
    {
        var connection = transaction.Connection!;
        long held = await connection.ExecuteScalarAsync<long>(
            "SELECT COALESCE(SUM(LENGTH(bundle)), 0) FROM signatures WHERE digest = @Hex AND sha256 <> @Sha256", new { version.Hex, signature.Sha256 }, transaction);
        if (held + signature.Bundle.Length > MaxBytesOfVersion)
        {
            throw new PreconditionException($"the signatures of {version.Version} have {held} bytes already, where {MaxBytesOfVersion} are kept");
        }

        int added = await connection.ExecuteAsync(
            "INSERT INTO signatures (digest, sha256, bundle, added_at) VALUES (@Hex, @Sha256, @Bundle, @Now) ON CONFLICT (digest, sha256) DO NOTHING",
            new { version.Hex, signature.Sha256, signature.Bundle, Now = time.UnixMilliseconds() }, transaction);
        if (added > 0)
        {
            await TellAsync(transaction, version, signature, actor);
        }
    }

    /// <summary>The signatures of a version, oldest first, judged by the keys that are trusted now.</summary>
    public Task<IReadOnlyList<CheckedSignature>> ListAsync(Digest version, CancellationToken cancellation) =>
        database.ReadAsync(connection => ReadAsync(connection, version), cancellation);

    // The files may be a version of several models; each one's history tells of it.
    private async Task TellAsync(DbTransaction transaction, Digest version, CheckedSignature signature, Actor actor)
    {
        var models = await transaction.Connection!.QueryAsync<string>(
            "SELECT model FROM versions WHERE digest = @Hex ORDER BY model", new { version.Hex }, transaction);
        foreach (string model in models)
        {
            await audit.AppendAsync(transaction, actor, AddSignature, model, version.Version, new Dictionary<string, string>
            {
                ["bundle"] = signature.Sha256,
                ["key"] = signature.KeyHint,
                ["trusted_key"] = signature.TrustedKey,
            });
        }
    }

    private async Task<IReadOnlyList<CheckedSignature>> ReadAsync(DbConnection connection, Digest version, DbTransaction? transaction = null)
    {
        var rows = await connection.QueryAsync<(byte[] Bundle, long AddedAt)>(
            "SELECT bundle, added_at FROM signatures WHERE digest = @Hex ORDER BY id", new { version.Hex }, transaction);
        return [.. rows.Select(row => checks.Judge(row.Bundle, row.AddedAt))];
    }
}
