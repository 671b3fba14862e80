using System.Globalization;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Rollouts;

/// <summary>Rollouts as people read them.</summary>
internal static class RolloutText
{
    public static readonly IReadOnlyList<string> ArmColumns = ["ANSWERS OF", "REQUESTS", "FAILED", "NOT FINITE", "BLANK", "FLAGGED", "RESCUED"];

    public static readonly IReadOnlyList<string> TestColumns = ["TEST", "OUTCOME", "ESTIMATE", "INTERVAL", "LIMIT", "SAMPLES"];

    public static readonly IReadOnlyList<string> ReplicaColumns = ["STAGE", "REPLICA", "STATE", "TOOK", "FETCHED", "ADDED", "SHARED", "DETAIL"];

    /// <summary>For example "stepping, step 2 of 4: 5 % of requests, 20 % on both".</summary>
    public static string State(Rollout rollout)
    {
        string step = rollout.Step >= 0 && rollout.EndedAt is null ? $", step {rollout.Step + 1} of {rollout.Plan.Steps.Count}" : "";
        string traffic = rollout.Percent > 0 || rollout.ShadowPercent > 0
            ? string.Create(CultureInfo.InvariantCulture, $": {rollout.Percent:0.##} % of requests{Shadow(rollout.ShadowPercent)}")
            : "";
        return $"{Words(rollout.State)}{step}{traffic}";
    }

    /// <summary>One line about where a rollout is.</summary>
    public static string Line(Rollout rollout) => string.Create(
        CultureInfo.InvariantCulture,
        $"{State(rollout)}; canary {rollout.CanaryCounts.Requests} requests, {rollout.CanaryCounts.Failures} failed, {rollout.CanaryCounts.Blank} blank; {rollout.Pairs} pairs; {rollout.Reason}");

    public static string Line(Verdict verdict) => string.Create(
        CultureInfo.InvariantCulture,
        $"{verdict.At.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss}  {Words(verdict.Decision)} by {verdict.Actor}: {verdict.Reason}");

    /// <summary>Everything, in lines.</summary>
    public static IEnumerable<string> Full(Rollout rollout) =>
    [
        $"rollout   {rollout.Id} of {rollout.Model}",
        $"state     {State(rollout)}",
        $"because   {rollout.Reason}",
        $"stable    {rollout.Stable}",
        $"canary    {rollout.Canary}",
        $"began     {rollout.CreatedAt.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss} UTC by {rollout.Actor}",
        .. rollout.EndedAt is { } ended ? [$"ended     {ended.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss} UTC"] : Array.Empty<string>(),
        $"pairs     {rollout.Pairs}",
        .. Section(ReplicaColumns, Replicas(rollout)),
        .. Section(ArmColumns, Arms(rollout)),
        .. Section(TestColumns, Tests(rollout.Tests)),
        .. rollout.Verdicts.SelectMany(Verdict),
    ];

    public static IReadOnlyList<IReadOnlyList<string>> Arms(Rollout rollout) =>
        [Arm("stable", rollout.StableCounts), Arm("canary", rollout.CanaryCounts)];

    public static IReadOnlyList<IReadOnlyList<string>> Tests(IEnumerable<TestReading> tests) =>
    [
        .. tests.Select(test => (IReadOnlyList<string>)
        [
            test.Name, Words(test.Outcome), Number(test.Estimate), $"{Number(test.Lower)} to {Number(test.Upper)}", Number(test.Limit), $"{test.Samples}",
        ]),
    ];

    public static IReadOnlyList<IReadOnlyList<string>> Replicas(Rollout rollout) =>
    [
        .. rollout.Replicas.Select(replica => (IReadOnlyList<string>)
        [
            replica.Stage, replica.Replica, Words(replica.State), Units.Duration(replica.Took.ToTimeSpan()), Units.Bytes(replica.FetchedBytes),
            Units.Bytes(replica.AddedBytes), Units.Bytes(replica.SharedBytes), replica.Detail,
        ]),
    ];

    public static string Words(RolloutState state) => state switch
    {
        RolloutState.RollingBack => "rolling back",
        RolloutState.RolledBack => "rolled back",
        _ => state.ToString().ToLowerInvariant(),
    };

    public static string Words(TestOutcome outcome) => outcome.ToString().ToLowerInvariant();

    private static string Words(ReplicaState state) => state.ToString().ToLowerInvariant();

    private static string Words(Decision decision) => decision switch
    {
        Decision.BeginStep => "step begun",
        Decision.Pause => "paused",
        Decision.Resume => "resumed",
        Decision.Promote => "promoted",
        Decision.RollBack => "rolled back",
        _ => "failed",
    };

    private static string Shadow(double percent) =>
        percent > 0 ? string.Create(CultureInfo.InvariantCulture, $", {percent:0.##} % on both versions") : "";

    private static IEnumerable<string> Verdict(Verdict verdict) =>
    [
        "",
        Line(verdict),
        string.Create(
            CultureInfo.InvariantCulture,
            $"  canary {verdict.CanaryCounts.Requests} requests, {verdict.CanaryCounts.Failures} failed, {verdict.CanaryCounts.Rescued} rescued; stable {verdict.StableCounts.Requests} requests, {verdict.StableCounts.Failures} failed; {verdict.SecondsSinceFirstCanary:0.0} s after the canary's first answer"),
        .. TextTable.Format(TestColumns, Tests(verdict.Tests)).Skip(verdict.Tests.Count == 0 ? 1 : 0).Select(line => $"  {line}"),
    ];

    private static IEnumerable<string> Section(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows) =>
        rows.Count == 0 ? [] : ["", .. TextTable.Format(columns, rows)];

    private static IReadOnlyList<string> Arm(string name, ArmCounts counts) =>
        [name, $"{counts.Requests}", $"{counts.Failures}", $"{counts.NotFinite}", $"{counts.Blank}", $"{counts.Flagged}", $"{counts.Rescued}"];

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
