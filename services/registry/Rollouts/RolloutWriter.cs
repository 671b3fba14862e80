using System.Data.Common;
using System.Globalization;
using Fleet.Contracts.Registry.V1;
using Fleet.Registry.Access;
using Fleet.Registry.Audit;
using Fleet.Registry.Catalog;
using Fleet.Registry.Rollouts.Records;
using Google.Protobuf.WellKnownTypes;

namespace Fleet.Registry.Rollouts;

/// <summary>
/// Writes a transition: the rollout's state, the verdict, the audit entries and, of a promotion, the alias, all in the caller's transaction. Nothing is
/// written when somebody else changed the rollout since it was read.
/// </summary>
internal sealed class RolloutWriter(VersionCatalog catalog, AuditLog audit, TimeProvider time)
{
    private const string Judge = "judge";

    /// <summary>Adds a rollout; false when its model has one that runs.</summary>
    public async Task<bool> StartAsync(DbTransaction transaction, RolloutRecord rollout, Actor actor)
    {
        bool added = await RolloutTable.InsertAsync(transaction, rollout);
        if (added)
        {
            await AppendAsync(transaction, rollout, actor, "rollout.start", new()
            {
                ["canary"] = rollout.Canary.Version,
                ["stable"] = rollout.Stable.Version,
                ["kind"] = rollout.Plan.Kind == ChangeKind.MustBeIdentical ? "must be identical" : "may differ",
            });
        }

        return added;
    }

    /// <summary>Writes a transition; false when the rollout is not any more as <paramref name="rollout"/> says.</summary>
    /// <param name="transaction">Whatever else must be written or checked with it.</param>
    /// <param name="rollout">The rollout as it was when the transition was decided.</param>
    /// <param name="transition">What changes.</param>
    /// <param name="evidence">What it rests on.</param>
    /// <param name="replicas">How far the replicas are.</param>
    /// <param name="person">Who orders it; null: the judge.</param>
    /// <exception cref="Hosting.AbortedException">It promotes, and somebody else moved the alias.</exception>
    public async Task<bool> ApplyAsync(
        DbTransaction transaction,
        RolloutRecord rollout,
        Transition transition,
        Evidence evidence,
        IReadOnlyList<ReplicaReadiness> replicas,
        Actor? person = null)
    {
        var moved = Move(rollout, transition, evidence);
        if (!await RolloutTable.MoveAsync(transaction, rollout, moved))
        {
            return false;
        }

        var actor = person ?? new Actor($"rollout {rollout.Id}");
        if (transition.Decision != Decision.Unspecified)
        {
            await VerdictTable.AddAsync(transaction, rollout.Id, VerdictOf(rollout, transition, evidence, person?.Name ?? Judge));
        }

        await AppendAsync(transaction, moved, actor, ActionName(transition), Details(moved, evidence));
        if (transition.To == RolloutState.Promoted)
        {
            string expected = rollout.HadAlias ? rollout.Stable.Version : VersionCatalog.NoVersion;
            await catalog.SetAliasAsync(transaction, rollout.Model, VersionReference.DefaultAlias, rollout.Canary, expected, actor);
        }

        if (!moved.Running)
        {
            await CloseAsync(transaction, rollout.Id, evidence, replicas);
        }

        return true;
    }

    private RolloutRecord Move(RolloutRecord rollout, Transition transition, Evidence evidence)
    {
        var now = time.GetUtcNow();
        var at = rollout.Progress;
        bool newStep = transition.Decision == Decision.BeginStep;
        return rollout with
        {
            Progress = new RolloutProgress(
                transition.To, transition.Step, TimeSpan.Zero,
                newStep ? evidence.Canary.Requests : at.RequestsBefore, newStep ? evidence.Pairs : at.PairsBefore),
            StepBeganAt = newStep ? now : rollout.StepBeganAt,
            EndedAt = RolloutRules.IsRunning(transition.To) ? null : now,
            Reason = transition.Reason,
            Revision = rollout.Revision + 1,
        };
    }

    private Verdict VerdictOf(RolloutRecord rollout, Transition transition, Evidence evidence, string actor) => new()
    {
        At = Timestamp.FromDateTimeOffset(time.GetUtcNow()),
        Decision = transition.Decision,
        Actor = actor,
        Reason = transition.Reason,
        Step = transition.Step,
        StableCounts = evidence.Stable,
        CanaryCounts = evidence.Canary,
        Tests = { evidence.Tests },
        SecondsSinceFirstCanary = rollout.FirstCanaryAt is { } first ? Math.Max(0, (time.GetUtcNow() - first).TotalSeconds) : 0,
    };

    private static async Task CloseAsync(DbTransaction transaction, string id, Evidence evidence, IReadOnlyList<ReplicaReadiness> replicas)
    {
        await RolloutTable.SetClosingAsync(transaction, id, evidence.ToMessage(replicas));
        await ObservationTable.ForgetReportsAsync(transaction, id);
        await ReplicaTable.ForgetAsync(transaction, id);
    }

    private Task AppendAsync(DbTransaction transaction, RolloutRecord rollout, Actor actor, string action, Dictionary<string, string> details) =>
        audit.AppendAsync(transaction, actor, action, rollout.Model, rollout.Id, details);

    private static Dictionary<string, string> Details(RolloutRecord moved, Evidence evidence) => new()
    {
        ["reason"] = moved.Reason,
        ["step"] = Number(moved.Progress.Step),
        ["percent"] = Number(moved.Traffic.Percent),
        ["canary_requests"] = Number(evidence.Canary.Requests),
        ["canary_failures"] = Number(evidence.Canary.Failures),
        ["pairs"] = Number(evidence.Pairs),
    };

    private static string Number(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static string ActionName(Transition transition) => (transition.Decision, transition.To) switch
    {
        (Decision.BeginStep, _) => "rollout.step",
        (Decision.Pause, _) => "rollout.pause",
        (Decision.Resume, _) => "rollout.resume",
        (Decision.Promote, _) => "rollout.promote",
        (Decision.RollBack, _) => "rollout.roll_back",
        (Decision.Fail, _) => "rollout.fail",
        (_, RolloutState.Promoted) => "rollout.promoted",
        _ => "rollout.rolled_back",
    };
}
