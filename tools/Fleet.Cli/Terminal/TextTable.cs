namespace Fleet.Cli.Terminal;

/// <summary>Columns aligned by spaces, never wrapped, so that lines stay lines in a pipe.</summary>
internal static class TextTable
{
    public static IEnumerable<string> Format(IReadOnlyList<string> headings, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. headings.Select((heading, column) => rows.Select(row => row[column].Length).Append(heading.Length).Max())];

        foreach (var row in rows.Prepend(headings))
        {
            yield return string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd();
        }
    }
}
