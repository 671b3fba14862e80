using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;

namespace Fleet.Registry.Rollouts.Records;

/// <summary>The table of verdicts.</summary>
internal static class VerdictTable
{
    public static Task AddAsync(DbTransaction transaction, string rollout, Verdict verdict) =>
        transaction.Connection!.ExecuteAsync(
            "INSERT INTO rollout_verdicts (rollout, content) VALUES (@rollout, @Content)", new { rollout, Content = verdict.ToByteArray() }, transaction);

    /// <summary>Verdicts of a rollout, oldest first.</summary>
    public static async Task<IEnumerable<Verdict>> ListAsync(DbConnection connection, string rollout) =>
        (await connection.QueryAsync<byte[]>("SELECT content FROM rollout_verdicts WHERE rollout = @rollout ORDER BY number", new { rollout }))
        .Select(Verdict.Parser.ParseFrom);
}
