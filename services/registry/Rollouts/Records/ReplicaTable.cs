using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Rollouts.Records;

/// <summary>The table of the stages' replicas that watch while a rollout runs.</summary>
internal static class ReplicaTable
{
    /// <summary>Notes that a replica was heard of.</summary>
    public static Task SeenAsync(DbTransaction transaction, string rollout, string stage, string replica, DateTimeOffset now) =>
        UpsertAsync(
            transaction, rollout, new ReplicaReadiness { Stage = stage, Replica = replica, State = ReplicaState.Fetching, Took = new Duration() },
            now, "seen_at = excluded.seen_at");

    /// <summary>Notes how far a replica is with the canary.</summary>
    public static Task ReportAsync(DbTransaction transaction, string rollout, ReplicaReadiness readiness, DateTimeOffset now) =>
        UpsertAsync(
            transaction, rollout, readiness, now,
            """
            state = excluded.state, detail = excluded.detail, added_bytes = excluded.added_bytes, shared_bytes = excluded.shared_bytes,
            fetched_bytes = excluded.fetched_bytes, took_ms = excluded.took_ms, seen_at = excluded.seen_at
            """);

    public static async Task<IReadOnlyList<ReplicaReadiness>> ListAsync(DbConnection connection, string rollout)
    {
        var rows = await connection.QueryAsync<Row>(
            """
            SELECT stage, replica, state, detail, added_bytes AS AddedBytes, shared_bytes AS SharedBytes, fetched_bytes AS FetchedBytes,
                   took_ms AS TookMs, seen_at AS SeenAt
            FROM rollout_replicas WHERE rollout = @rollout ORDER BY stage, replica
            """,
            new { rollout });
        return [.. rows.Select(row => row.ToMessage())];
    }

    public static Task ForgetAsync(DbTransaction transaction, string rollout) =>
        transaction.Connection!.ExecuteAsync("DELETE FROM rollout_replicas WHERE rollout = @rollout", new { rollout }, transaction);

    private static Task UpsertAsync(DbTransaction transaction, string rollout, ReplicaReadiness readiness, DateTimeOffset now, string update) =>
        transaction.Connection!.ExecuteAsync(
            $"""
            INSERT INTO rollout_replicas (rollout, stage, replica, state, detail, added_bytes, shared_bytes, fetched_bytes, took_ms, seen_at)
            VALUES (@rollout, @Stage, @Replica, @State, @Detail, @AddedBytes, @SharedBytes, @FetchedBytes, @TookMs, @SeenAt)
            ON CONFLICT (rollout, stage, replica) DO UPDATE SET {update}
            """,
            new
            {
                rollout,
                readiness.Stage,
                readiness.Replica,
                State = (long)readiness.State,
                readiness.Detail,
                readiness.AddedBytes,
                readiness.SharedBytes,
                readiness.FetchedBytes,
                TookMs = (long)readiness.Took.ToTimeSpan().TotalMilliseconds,
                SeenAt = now.ToUnixTimeMilliseconds(),
            },
            transaction);

    private sealed record Row(
        string Stage, string Replica, long State, string Detail, long AddedBytes, long SharedBytes, long FetchedBytes, long TookMs, long SeenAt)
    {
        public ReplicaReadiness ToMessage() => new()
        {
            Stage = Stage,
            Replica = Replica,
            State = (ReplicaState)State,
            Detail = Detail,
            AddedBytes = AddedBytes,
            SharedBytes = SharedBytes,
            FetchedBytes = FetchedBytes,
            Took = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(TookMs)),
            SeenAt = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeMilliseconds(SeenAt)),
        };
    }
}
