using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;

namespace Fleet.Registry.Rollouts.Records;

/// <summary>What a gateway reported: the outcome of a request, or a pair of pictures. One of them is null.</summary>
internal sealed record Observation(long Number, RequestOutcome? Outcome, Sample? Pair);

/// <summary>The tables of what gateways reported, in the order in which it was accepted.</summary>
internal static class ObservationTable
{
    /// <summary>Pairs whose thumbnails are kept: so many of the newest, and so many of the most distant.</summary>
    public const int KeptThumbnails = 64;

    /// <summary>Notes that a report was counted; false when it had been before.</summary>
    public static async Task<bool> AddReportAsync(DbTransaction transaction, string rollout, string reporter, long sequence) =>
        await transaction.Connection!.ExecuteAsync(
            "INSERT INTO rollout_reports (rollout, reporter, sequence) VALUES (@rollout, @reporter, @sequence) ON CONFLICT (rollout, reporter, sequence) DO NOTHING",
            new { rollout, reporter, sequence }, transaction) == 1;

    public static Task ForgetReportsAsync(DbTransaction transaction, string rollout) =>
        transaction.Connection!.ExecuteAsync("DELETE FROM rollout_reports WHERE rollout = @rollout", new { rollout }, transaction);

    public static Task AddAsync(DbTransaction transaction, RequestOutcome outcome) =>
        InsertAsync(transaction, outcome.Rollout, pair: false, distance: 0, outcome);

    public static async Task AddAsync(DbTransaction transaction, string rollout, Sample pair)
    {
        var numbers = pair.Clone();
        numbers.StableThumbnail = numbers.CanaryThumbnail = ByteString.Empty;
        double distance = 1 - pair.Distance.Ssim;
        long number = await InsertAsync(transaction, rollout, pair: true, distance, numbers);
        await transaction.Connection!.ExecuteAsync(
            """
            INSERT INTO rollout_thumbnails (observation, rollout, distance, stable, canary)
            VALUES (@number, @rollout, @distance, @Stable, @Canary)
            """,
            new { number, rollout, distance, Stable = pair.StableThumbnail.ToByteArray(), Canary = pair.CanaryThumbnail.ToByteArray() },
            transaction);
    }

    /// <summary>Drops the thumbnails that are neither among the newest nor among the most distant.</summary>
    public static Task PruneThumbnailsAsync(DbTransaction transaction, string rollout) =>
        transaction.Connection!.ExecuteAsync(
            """
            DELETE FROM rollout_thumbnails WHERE rollout = @rollout
                AND observation NOT IN (SELECT observation FROM rollout_thumbnails WHERE rollout = @rollout ORDER BY observation DESC LIMIT @KeptThumbnails)
                AND observation NOT IN (
                    SELECT observation FROM rollout_thumbnails WHERE rollout = @rollout ORDER BY distance DESC, observation DESC LIMIT @KeptThumbnails)
            """,
            new { rollout, KeptThumbnails = (long)KeptThumbnails }, transaction);

    /// <summary>Observations after a number, in order, without thumbnails.</summary>
    public static async Task<IReadOnlyList<Observation>> AfterAsync(DbConnection connection, string rollout, long number, int limit)
    {
        var rows = await connection.QueryAsync<Row>(
            """
            SELECT number, pair, content FROM rollout_observations WHERE rollout = @rollout AND number > @number ORDER BY number LIMIT @Limit
            """,
            new { rollout, number, Limit = (long)limit });
        return
        [
            .. rows.Select(row => row.Pair != 0
                ? new Observation(row.Number, null, Sample.Parser.ParseFrom(row.Content))
                : new Observation(row.Number, RequestOutcome.Parser.ParseFrom(row.Content), null)),
        ];
    }

    /// <summary>Pairs, newest or most distant first, with those thumbnails that are kept.</summary>
    public static async Task<IEnumerable<Sample>> SamplesAsync(DbConnection connection, string rollout, bool worstFirst, int limit)
    {
        string order = worstFirst ? "o.distance DESC, o.number DESC" : "o.number DESC";
        var rows = await connection.QueryAsync<SampleRow>(
            $"""
            SELECT o.content, t.stable, t.canary
            FROM rollout_observations o LEFT JOIN rollout_thumbnails t ON t.observation = o.number
            WHERE o.rollout = @rollout AND o.pair = 1 ORDER BY {order} LIMIT @Limit
            """,
            new { rollout, Limit = (long)limit });
        return rows.Select(row =>
        {
            var sample = Sample.Parser.ParseFrom(row.Content);
            sample.StableThumbnail = ByteString.CopyFrom(row.Stable ?? []);
            sample.CanaryThumbnail = ByteString.CopyFrom(row.Canary ?? []);
            return sample;
        });
    }

    private static Task<long> InsertAsync(DbTransaction transaction, string rollout, bool pair, double distance, IMessage content) =>
        transaction.Connection!.QuerySingleAsync<long>(
            """
            INSERT INTO rollout_observations (rollout, pair, distance, content) VALUES (@rollout, @Pair, @distance, @Content) RETURNING number
            """,
            new { rollout, Pair = pair ? 1L : 0L, distance, Content = content.ToByteArray() }, transaction);

    private sealed record Row(long Number, long Pair, byte[] Content);

    private sealed class SampleRow
    {
        public byte[] Content { get; init; } = [];

        public byte[]? Stable { get; init; }

        public byte[]? Canary { get; init; }
    }
}
