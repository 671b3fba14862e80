using System.Globalization;
using System.Runtime.InteropServices;

namespace Fleet.Diffusion.Tokenization;

/// <summary>A run of a prompt's text with one attention weight, or a break between two chunks.</summary>
public sealed record PromptPart(string Text, double Weight, bool IsBreak = false);

/// <summary>
/// Attention weights as AUTOMATIC1111's web UI reads them: (text) is 1.1, (text:1.3) the number, [text] 1/1.1, nested ones
/// multiply; \( \) \[ \] \\ are the characters themselves and any other backslash is dropped; a bracket that is never closed
/// counts to the end, one that was never opened is text. BREAK as a word of its own starts a new chunk, inside brackets too.
/// </summary>
public static class PromptSyntax
{
    private const double RoundWeight = 1.1;
    private const double SquareWeight = 1 / 1.1;
    private const double LargestWeight = 1e6;

    /// <summary>The parts in order; neighbours with equal weights are one part. Throws <see cref="PromptException"/> for a weight beyond ±1,000,000.</summary>
    public static IReadOnlyList<PromptPart> Parse(string prompt)
    {
        var runs = new List<Run>();
        var round = new Stack<int>();
        var square = new Stack<int>();

        void Weigh(int from, double factor)
        {
            foreach (ref var run in CollectionsMarshal.AsSpan(runs)[from..])
            {
                run.Weight *= factor;
            }
        }

        var position = 0;
        while (position < prompt.Length)
        {
            var length = 1;
            switch (prompt[position])
            {
                case '\\' when position + 1 < prompt.Length && @"()[]\".Contains(prompt[position + 1]):
                    runs.Add(new Run(prompt[(position + 1)..(position + 2)]));
                    length = 2;
                    break;
                case '\\':
                    break;
                case '(':
                    round.Push(runs.Count);
                    break;
                case '[':
                    square.Push(runs.Count);
                    break;
                case ':' when round.Count > 0 && ExplicitWeight(prompt.AsSpan(position), out var weight) is > 0 and var end:
                    Weigh(round.Pop(), weight);
                    length = end;
                    break;
                case ')' when round.Count > 0:
                    Weigh(round.Pop(), RoundWeight);
                    break;
                case ']' when square.Count > 0:
                    Weigh(square.Pop(), SquareWeight);
                    break;
                default:
                    var plain = prompt.AsSpan(position + 1).IndexOfAny(@"\()[]:");
                    length = plain < 0 ? prompt.Length - position : plain + 1;
                    AddText(prompt.Substring(position, length), runs);
                    break;
            }

            position += length;
        }

        while (round.TryPop(out var open))
        {
            Weigh(open, RoundWeight);
        }

        while (square.TryPop(out var open))
        {
            Weigh(open, SquareWeight);
        }

        return Join(runs);
    }

    // The length of ":1.2)" at the start of text, 0 when there is none.
    private static int ExplicitWeight(ReadOnlySpan<char> text, out double weight)
    {
        weight = 1;
        var end = text.IndexOf(')');
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        return end > 0 && double.TryParse(text[1..end].Trim(), Style, CultureInfo.InvariantCulture, out weight) ? end + 1 : 0;
    }

    private static void AddText(string text, List<Run> runs)
    {
        const string Break = "BREAK";
        var start = 0;
        for (var at = 0; (at = text.IndexOf(Break, at, StringComparison.Ordinal)) >= 0; at += Break.Length)
        {
            var end = at + Break.Length;
            if ((at == 0 || !IsWordCharacter(text[at - 1])) && (end == text.Length || !IsWordCharacter(text[end])))
            {
                runs.Add(new Run(text[start..at]));
                runs.Add(new Run("", IsBreak: true));
                start = end;
            }
        }

        runs.Add(new Run(text[start..]));
    }

    private static bool IsWordCharacter(char character) => char.IsLetterOrDigit(character) || character == '_';

    private static List<PromptPart> Join(List<Run> runs)
    {
        var parts = new List<PromptPart>();
        for (var i = 0; i < runs.Count;)
        {
            var first = runs[i];
            var end = i + 1;
            while (!first.IsBreak && end < runs.Count && !runs[end].IsBreak && runs[end].Weight == first.Weight)
            {
                end++;
            }

            var text = string.Concat(runs[i..end].Select(run => run.Text));
            if (!first.IsBreak && !(Math.Abs(first.Weight) <= LargestWeight))
            {
                throw new PromptException($"The weight {first.Weight:G3} of '{Shortened(text)}' is beyond ±{LargestWeight:N0}.");
            }

            parts.Add(new PromptPart(text, first.IsBreak ? 1 : first.Weight, first.IsBreak));
            i = end;
        }

        return parts;
    }

    private static string Shortened(string text) => text.Length <= 40 ? text : text[..40] + "…";

    private record struct Run(string Text, bool IsBreak = false)
    {
        public double Weight { get; set; } = 1;
    }
}
