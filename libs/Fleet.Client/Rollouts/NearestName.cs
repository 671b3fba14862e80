namespace Fleet.Client.Rollouts;

/// <summary>Says of a name that is not known which one was probably meant.</summary>
internal static class NearestName
{
    // More changes than this make another word.
    private const int MostChanges = 3;

    public static string Unknown(string what, string name, IEnumerable<string> known)
    {
        string nearest = known.MinBy(candidate => Changes(name, candidate))!;
        string all = $"there are {string.Join(", ", known)}";
        return Changes(name, nearest) <= MostChanges
            ? $"{what} '{name}' is not known: did you mean '{nearest}'? ({all})"
            : $"{what} '{name}' is not known: {all}";
    }

    // Levenshtein's distance, row by row.
    private static int Changes(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int changed = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(changed, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }
}
