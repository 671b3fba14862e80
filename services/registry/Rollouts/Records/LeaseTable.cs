using System.Data.Common;
using Dapper;

namespace Fleet.Registry.Rollouts.Records;

/// <summary>Who decides over rollouts. <paramref name="Beat"/> rises while the holder lives, <paramref name="Term"/> with each new holder.</summary>
internal sealed record LeaseRow(string Holder, long Term, long Beat);

/// <summary>The table with the one lease.</summary>
internal static class LeaseTable
{
    public static Task<LeaseRow> ReadAsync(DbConnection connection) =>
        connection.QuerySingleAsync<LeaseRow>("SELECT holder, term, beat FROM rollout_lease");

    /// <summary>Takes the lease from <paramref name="seen"/>; false when it changed meanwhile.</summary>
    public static async Task<bool> TakeAsync(DbTransaction transaction, LeaseRow seen, string holder) =>
        await transaction.Connection!.ExecuteAsync(
            "UPDATE rollout_lease SET holder = @holder, term = term + 1, beat = 0 WHERE holder = @Seen AND term = @Term AND beat = @Beat",
            new { holder, Seen = seen.Holder, seen.Term, seen.Beat }, transaction) == 1;

    public static async Task<bool> RenewAsync(DbTransaction transaction, string holder, long term) =>
        await transaction.Connection!.ExecuteAsync(
            "UPDATE rollout_lease SET beat = beat + 1 WHERE holder = @holder AND term = @term", new { holder, term }, transaction) == 1;

    public static async Task<bool> IsHeldAsync(DbTransaction transaction, string holder, long term) =>
        await transaction.Connection!.ExecuteScalarAsync<long>(
            "SELECT COUNT(*) FROM rollout_lease WHERE holder = @holder AND term = @term", new { holder, term }, transaction) == 1;

    public static Task ReleaseAsync(DbTransaction transaction, string holder, long term) =>
        transaction.Connection!.ExecuteAsync(
            "UPDATE rollout_lease SET holder = '' WHERE holder = @holder AND term = @term", new { holder, term }, transaction);
}
