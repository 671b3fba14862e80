using System.Globalization;
using Fleet.Registry.Rollouts.Judging;

namespace Fleet.Benchmarks.Rollouts;

/// <summary>The results as a Markdown table.</summary>
internal static class RolloutsTable
{
    public static string Header { get; } = string.Join('\n',
        "| truth | rollouts | rolled back | promoted | undecided | canary requests, median (90 %) | failed for callers | z-test rolls back | with limit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |");

    public static string Row(string name, RolloutEnd[] ends)
    {
        string[] cells =
        [
            name,
            ends.Length.ToString("N0", CultureInfo.InvariantCulture),
            Share(ends, end => end.Verdict == JudgeVerdict.Bad),
            Share(ends, end => end.Verdict == JudgeVerdict.Good),
            Share(ends, end => end.Verdict == JudgeVerdict.Continue),
            $"{Quantile(ends, end => end.CanaryRequests, 0.5)} ({Quantile(ends, end => end.CanaryRequests, 0.9)})",
            Quantile(ends, end => end.Harmed, 0.5),
            Share(ends, end => end.ZTest),
            Share(ends, end => end.ZTestWithLimit),
        ];
        return $"| {string.Join(" | ", cells)} |";
    }

    // With Wilson's interval at 95 %.
    private static string Share(RolloutEnd[] ends, Func<RolloutEnd, bool> which)
    {
        const double Z = 1.96;
        double n = ends.Length;
        double share = ends.Count(which) / n;
        double center = (share + (Z * Z / (2 * n))) / (1 + (Z * Z / n));
        double half = Z / (1 + (Z * Z / n)) * Math.Sqrt((share * (1 - share) / n) + (Z * Z / (4 * n * n)));
        return string.Create(CultureInfo.InvariantCulture,
            $"{100 * share:0.##} % ({100 * Math.Max(center - half, 0):0.##}–{100 * Math.Min(center + half, 1):0.##})");
    }

    private static string Quantile(RolloutEnd[] ends, Func<RolloutEnd, long> of, double share) =>
        ends.Select(of).Order().ElementAt((int)(share * (ends.Length - 1))).ToString("N0", CultureInfo.InvariantCulture);
}
