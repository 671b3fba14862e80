using System.CommandLine;
using Fleet.Cli.Terminal;
using Fleet.Contracts.Registry.V1;

namespace Fleet.Cli.Audit;

/// <summary>How entries of the log are asked for and shown.</summary>
internal static class AuditOptions
{
    private const int DefaultEntries = 100;

    public static readonly Option<int?> Limit = ValueOption.Integer("--limit", "N", $"Entries to show [default: {DefaultEntries}]");

    public static async Task<int> WriteAsync(IAsyncEnumerable<AuditEntry> entries, ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        var shown = await entries.Take(parsed.GetValue(Limit) ?? DefaultEntries).ToListAsync(cancellation);
        foreach (var entry in shown)
        {
            output.Event(new AuditEntryEvent(
                entry.Sequence, entry.At.ToDateTimeOffset(), entry.Actor, entry.Action, entry.Model, entry.Subject,
                new SortedDictionary<string, string>(entry.Details, StringComparer.Ordinal), Convert.ToHexStringLower(entry.Hash.Span)));
        }

        var lines = TextTable.Format(
            ["ENTRY", "TIME (UTC)", "WHO", "WHAT", "MODEL", "SUBJECT", "DETAILS"],
            [
                .. shown.Select(entry => (IReadOnlyList<string>)
                [
                    $"{entry.Sequence}", $"{entry.At.ToDateTimeOffset():yyyy-MM-dd HH:mm:ss}", entry.Actor, entry.Action, entry.Model, Short(entry.Subject),
                    string.Join(' ', entry.Details.OrderBy(detail => detail.Key, StringComparer.Ordinal).Select(detail => $"{detail.Key}={Short(detail.Value)}")),
                ]),
            ]);
        foreach (string line in lines)
        {
            output.Result(line);
        }

        return ExitCode.Success;
    }

    // Digests of versions are shown as elsewhere; the events have all digits.
    private static string Short(string text) =>
        text.Length == 71 && text.StartsWith("sha256:", StringComparison.Ordinal) ? Models.VersionReport.Short(text) : text.ReplaceLineEndings(" ");
}
