using System.Globalization;
using System.Text;

namespace Fleet.Diffusion.Tokenization;

// What CLIP's tokenizer does to text before byte pair encoding. Written over code points: .NET's regular expressions see
// UTF-16, where a letter outside the first plane is two surrogates and no letter.
internal static class ClipText
{
    // NFC, then runs of white space to one space, then lower case code point by code point, without context: a final capital
    // sigma becomes σ and U+0130 becomes i with U+0307.
    public static string Normalize(string text)
    {
        RequireWellFormed(text);
        var composed = CanonicalComposition.Compose(text);
        var normal = new StringBuilder(composed.Length);
        var inSpace = false;
        foreach (var rune in composed.EnumerateRunes())
        {
            var space = Rune.IsWhiteSpace(rune);
            if (space && !inSpace)
            {
                normal.Append(' ');
            }
            else if (rune.Value == 0x130)
            {
                normal.Append("i\u0307");
            }
            else if (!space)
            {
                normal.Append(Rune.ToLowerInvariant(rune).ToString());
            }

            inSpace = space;
        }

        return normal.ToString();
    }

    // The length of the word at the start of text, or 0 when that is white space: one of the English contractions, a run of
    // letters, one number character, or a run of anything else that is not white space.
    public static int WordLength(ReadOnlySpan<char> text)
    {
        foreach (var contraction in (ReadOnlySpan<string>)["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"])
        {
            if (text.StartsWith(contraction, StringComparison.Ordinal))
            {
                return contraction.Length;
            }
        }

        var first = ClassAt(text, out var length);
        if (first is CharacterClass.Space)
        {
            return 0;
        }

        while (first is not CharacterClass.Number && length < text.Length && ClassAt(text[length..], out var width) == first)
        {
            length += width;
        }

        return length;
    }

    private static CharacterClass ClassAt(ReadOnlySpan<char> text, out int length)
    {
        _ = Rune.DecodeFromUtf16(text, out var rune, out length);
        return Rune.GetUnicodeCategory(rune) switch
        {
            <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
            _ => Rune.IsWhiteSpace(rune) ? CharacterClass.Space : CharacterClass.Other,
        };
    }

    private static void RequireWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                throw new PromptException($"The text has half a surrogate pair, U+{(int)text[i]:X4}, at index {i}; send well-formed text.");
            }
        }
    }

    private enum CharacterClass
    {
        Space,
        Letter,
        Number,
        Other,
    }
}
