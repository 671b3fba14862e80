using System.Globalization;
using System.Text;

namespace Fleet.Diffusion.Tokenization;

// Unicode normalisation form C (UAX #15). string.Normalize is not used: it leaves non-ASCII text as it is when the runtime
// has no ICU or runs with InvariantGlobalization, and token ids must not depend on what a machine has installed.
internal static class CanonicalComposition
{
    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28;

    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];

    static CanonicalComposition()
    {
        using var stream = typeof(CanonicalComposition).Assembly.GetManifestResourceStream("canonical-composition.txt")!;
        using var lines = new StreamReader(stream);
        while (lines.ReadLine() is { } line)
        {
            if (!line.StartsWith('#'))
            {
                Read(line.Split(' '));
            }
        }
    }

    // Text must be well-formed UTF-16.
    public static string Compose(string text)
    {
        // No code point below U+0300 changes, alone or beside another one.
        if (!text.AsSpan().ContainsAnyInRange('\u0300', '\uFFFF'))
        {
            return text;
        }

        var points = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, points);
        }

        Reorder(points);
        Recompose(points);

        var composed = new StringBuilder(text.Length);
        foreach (var point in points)
        {
            composed.Append(new Rune(point).ToString());
        }

        return composed.ToString();
    }

    private static void Decompose(int point, List<int> points)
    {
        var syllable = point - HangulBase;
        if (syllable is >= 0 and < Leads * Vowels * Trails)
        {
            points.Add(LeadBase + syllable / (Vowels * Trails));
            points.Add(VowelBase + syllable / Trails % Vowels);
            if (syllable % Trails != 0)
            {
                points.Add(TrailBase + syllable % Trails);
            }
        }
        else if (Decompositions.TryGetValue(point, out var parts))
        {
            foreach (var part in parts)
            {
                Decompose(part, points);
            }
        }
        else
        {
            points.Add(point);
        }
    }

    // Brings each run of combining marks into order of combining class; marks of one class keep their order.
    private static void Reorder(List<int> points)
    {
        for (var start = 0; start < points.Count; start++)
        {
            var end = start;
            while (end < points.Count && ClassOf(points[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var marks = points.GetRange(start, end - start).OrderBy(ClassOf).ToList();
                for (var i = 0; i < marks.Count; i++)
                {
                    points[start + i] = marks[i];
                }
            }

            start = Math.Max(start, end);
        }
    }

    private static void Recompose(List<int> points)
    {
        var starter = -1;
        var count = 0;
        var lastClass = 0;
        for (var i = 0; i < points.Count; i++)
        {
            var point = points[i];
            var combiningClass = ClassOf(point);

            // A mark is blocked from its starter by a kept mark of its own class or a higher one, and a starter by any mark.
            var blocked = starter >= 0 && count - 1 > starter && lastClass >= combiningClass;
            if (starter >= 0 && !blocked && Pair(points[starter], point) is { } composite)
            {
                points[starter] = composite;
                continue;
            }

            points[count] = point;
            lastClass = combiningClass;
            if (combiningClass == 0)
            {
                starter = count;
            }

            count++;
        }

        points.RemoveRange(count, points.Count - count);
    }

    private static int? Pair(int first, int second)
    {
        var (lead, vowel) = (first - LeadBase, second - VowelBase);
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels)
        {
            return HangulBase + (lead * Vowels + vowel) * Trails;
        }

        var (syllable, trail) = (first - HangulBase, second - TrailBase);
        if (syllable is >= 0 and < Leads * Vowels * Trails && syllable % Trails == 0 && trail is > 0 and < Trails)
        {
            return first + trail;
        }

        return Compositions.TryGetValue((first, second), out var composite) ? composite : null;
    }

    private static int ClassOf(int point) => Classes.GetValueOrDefault(point);

    private static void Read(string[] line)
    {
        var points = line[1..].Select(field => int.Parse(field, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToArray();
        switch (line[0])
        {
            case "class":
                for (var point = points[0]; point <= points[1]; point++)
                {
                    Classes[point] = (byte)points[2];
                }

                break;
            case "pair":
                Compositions[(points[1], points[2])] = points[0];
                Decompositions[points[0]] = points[1..];
                break;
            default:
                Decompositions[points[0]] = points[1..];
                break;
        }
    }
}
