using System.Collections.Concurrent;
using Fleet.Testing;

namespace Fleet.Diffusion.Tests.Golden;

/// <summary>Counts the golden cases and writes artifacts/golden-summary.txt, which <c>./test golden</c> prints last.</summary>
public sealed class GoldenSummary : IDisposable
{
    private readonly ConcurrentBag<string> passed = [];
    private readonly ConcurrentBag<string> partly = [];
    private readonly ConcurrentBag<string> failed = [];
    private readonly ConcurrentBag<(string Case, string Reason)> notCovered = [];

    internal void Passed(GoldenCase golden)
    {
        passed.Add($"{golden.Group}/{golden.Id}");
        if (golden.LeftOut is { } leftOut)
        {
            partly.Add($"{golden.Group}/{golden.Id}: {leftOut}");
        }
    }

    public void Failed(string group, string id) => failed.Add($"{group}/{id}");

    public void NotCovered(string group, string id, string reason) => notCovered.Add(($"{group}/{id}", reason));

    public void Dispose()
    {
        if (passed.IsEmpty && failed.IsEmpty && notCovered.IsEmpty)
        {
            return;
        }

        string artifacts = Path.Combine(Repository.Root, "artifacts");
        Directory.CreateDirectory(artifacts);
        File.WriteAllLines(
            Path.Combine(artifacts, "golden-summary.txt"),
            [
                .. notCovered.GroupBy(c => c.Reason).OrderBy(g => g.Key, StringComparer.Ordinal)
                    .Select(g => $"not covered ({g.Key}): {string.Join(", ", g.Select(c => c.Case).Order(StringComparer.Ordinal))}"),
                .. partly.Order(StringComparer.Ordinal).Select(c => $"not compared in {c}"),
                .. failed.Order(StringComparer.Ordinal).Select(c => $"failed: {c}"),
                $"golden vectors of {Repository.Golden}: {passed.Count} passed, {failed.Count} failed, {notCovered.Count} not covered",
            ]);
    }
}
