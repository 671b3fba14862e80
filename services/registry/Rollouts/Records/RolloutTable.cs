using System.Data.Common;
using Dapper;
using Fleet.Contracts.Registry;
using Fleet.Contracts.Registry.V1;
using Google.Protobuf;

namespace Fleet.Registry.Rollouts.Records;

/// <summary>The table of rollouts.</summary>
internal static class RolloutTable
{
    private const string Select =
        """
        SELECT number, id, model, stable, canary, had_alias AS HadAlias, plan, actor, created_at AS CreatedAt, state, step,
               step_began_at AS StepBeganAt, elapsed_ms AS ElapsedMs, requests_before AS RequestsBefore, pairs_before AS PairsBefore,
               first_canary_at AS FirstCanaryAt, ended_at AS EndedAt, reason, revision
        FROM rollouts
        """;

    public static async Task<IReadOnlyList<RolloutRecord>> RunningAsync(DbConnection connection, DbTransaction? transaction = null) =>
        [.. (await connection.QueryAsync<Row>(Select + " WHERE running = 1 ORDER BY number", transaction: transaction)).Select(row => row.ToRecord())];

    /// <summary>A rollout by its id, or the newest one of a model.</summary>
    public static async Task<RolloutRecord?> FindAsync(DbConnection connection, string idOrModel, DbTransaction? transaction = null)
    {
        var row = await connection.QuerySingleOrDefaultAsync<Row>(Select + " WHERE id = @idOrModel", new { idOrModel }, transaction)
            ?? await connection.QuerySingleOrDefaultAsync<Row>(
                Select + " WHERE model = @idOrModel ORDER BY number DESC LIMIT 1", new { idOrModel }, transaction);
        return row?.ToRecord();
    }

    /// <summary>Rollouts, newest first. <paramref name="before"/> 0: from the newest on.</summary>
    public static async Task<IReadOnlyList<RolloutRecord>> ListAsync(DbConnection connection, string model, bool runningOnly, long before, long limit)
    {
        const string Where =
            """
             WHERE (@model = '' OR model = @model) AND (@runningOnly = 0 OR running = 1) AND (@before = 0 OR number < @before)
            ORDER BY number DESC LIMIT @limit
            """;
        var rows = await connection.QueryAsync<Row>(Select + Where, new { model, runningOnly = runningOnly ? 1L : 0L, before, limit });
        return [.. rows.Select(row => row.ToRecord())];
    }

    /// <summary>Adds a rollout; false when its model has one that runs.</summary>
    public static async Task<bool> InsertAsync(DbTransaction transaction, RolloutRecord rollout)
    {
        const string Insert =
            """
            INSERT INTO rollouts (id, model, stable, canary, had_alias, plan, actor, created_at, running, state, step, step_began_at, elapsed_ms,
                requests_before, pairs_before, first_canary_at, ended_at, reason, revision, closing)
            VALUES (@Id, @Model, @Stable, @Canary, @HadAlias, @Plan, @Actor, @CreatedAt, 1, @State, @Step, 0, 0, 0, 0, 0, 0, @Reason, @Revision, @Closing)
            ON CONFLICT (model) WHERE running = 1 DO NOTHING
            """;
        return await transaction.Connection!.ExecuteAsync(
            Insert,
            new
            {
                rollout.Id,
                rollout.Model,
                Stable = rollout.Stable.Hex,
                Canary = rollout.Canary.Hex,
                HadAlias = rollout.HadAlias ? 1L : 0L,
                Plan = rollout.Plan.ToByteArray(),
                rollout.Actor,
                CreatedAt = rollout.CreatedAt.ToUnixTimeMilliseconds(),
                State = (long)rollout.State,
                Step = (long)rollout.Progress.Step,
                rollout.Reason,
                rollout.Revision,
                Closing = Array.Empty<byte>(),
            },
            transaction) == 1;
    }

    /// <summary>Moves a rollout to another state; false when somebody else changed it meanwhile.</summary>
    public static async Task<bool> MoveAsync(DbTransaction transaction, RolloutRecord from, RolloutRecord to)
    {
        const string Update =
            """
            UPDATE rollouts SET running = @Running, state = @State, step = @Step, step_began_at = @StepBeganAt, elapsed_ms = 0,
                requests_before = @RequestsBefore, pairs_before = @PairsBefore, ended_at = @EndedAt, reason = @Reason, revision = revision + 1
            WHERE id = @Id AND revision = @Revision
            """;
        return await transaction.Connection!.ExecuteAsync(
            Update,
            new
            {
                from.Id,
                from.Revision,
                Running = to.Running ? 1L : 0L,
                State = (long)to.State,
                Step = (long)to.Progress.Step,
                StepBeganAt = ToMs(to.StepBeganAt),
                to.Progress.RequestsBefore,
                to.Progress.PairsBefore,
                EndedAt = ToMs(to.EndedAt),
                to.Reason,
            },
            transaction) == 1;
    }

    /// <summary>Keeps how long a rollout has been in its state, unless it has left it.</summary>
    public static Task SaveElapsedAsync(DbTransaction transaction, string id, long revision, TimeSpan elapsed) =>
        transaction.Connection!.ExecuteAsync(
            "UPDATE rollouts SET elapsed_ms = @Elapsed WHERE id = @id AND revision = @revision",
            new { id, revision, Elapsed = (long)elapsed.TotalMilliseconds },
            transaction);

    /// <summary>Notes when the canary first answered a request, once.</summary>
    public static Task SetFirstCanaryAsync(DbTransaction transaction, string id, DateTimeOffset at) =>
        transaction.Connection!.ExecuteAsync(
            "UPDATE rollouts SET first_canary_at = @At WHERE id = @id AND first_canary_at = 0", new { id, At = ToMs(at) }, transaction);

    public static Task SetClosingAsync(DbTransaction transaction, string id, Rollout closing) =>
        transaction.Connection!.ExecuteAsync(
            "UPDATE rollouts SET closing = @Closing WHERE id = @id", new { id, Closing = closing.ToByteArray() }, transaction);

    /// <summary>Counts, tests and replicas of a rollout when it ended.</summary>
    public static async Task<Rollout> ClosingAsync(DbConnection connection, string id) =>
        Rollout.Parser.ParseFrom(await connection.QuerySingleAsync<byte[]>("SELECT closing FROM rollouts WHERE id = @id", new { id }));

    private static long ToMs(DateTimeOffset? at) => at?.ToUnixTimeMilliseconds() ?? 0;

    private sealed record Row(
        long Number, string Id, string Model, string Stable, string Canary, long HadAlias, byte[] Plan, string Actor, long CreatedAt, long State, long Step,
        long StepBeganAt, long ElapsedMs, long RequestsBefore, long PairsBefore, long FirstCanaryAt, long EndedAt, string Reason, long Revision)
    {
        public RolloutRecord ToRecord() => new()
        {
            Number = Number,
            Id = Id,
            Model = Model,
            Stable = Digest.FromBytes(Convert.FromHexString(Stable)),
            Canary = Digest.FromBytes(Convert.FromHexString(Canary)),
            HadAlias = HadAlias != 0,
            Plan = RolloutPlan.Parser.ParseFrom(Plan),
            Actor = Actor,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(CreatedAt),
            Progress = new RolloutProgress((RolloutState)State, (int)Step, TimeSpan.FromMilliseconds(ElapsedMs), RequestsBefore, PairsBefore),
            StepBeganAt = FromMs(StepBeganAt),
            FirstCanaryAt = FromMs(FirstCanaryAt),
            EndedAt = FromMs(EndedAt),
            Reason = Reason,
            Revision = Revision,
        };

        private static DateTimeOffset? FromMs(long ms) => ms == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(ms);
    }
}
