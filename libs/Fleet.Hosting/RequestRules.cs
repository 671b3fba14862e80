using System.Globalization;

namespace Fleet.Hosting;

/// <summary>Checks of request fields that more than one service makes, with the limits of the protos.</summary>
public static class RequestRules
{
    /// <summary>A request id: 1 to 128 characters of [A-Za-z0-9._:-].</summary>
    public static string RequestId(string value) =>
        value.Length is > 0 and <= 128 && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-')
            ? value
            : throw new InvalidRequestException("request_id", value, "give 1 to 128 characters of A-Z, a-z, 0-9, '.', '_', ':' and '-'");

    /// <summary>A version digest: "sha256:" and 64 lower-case hexadecimal digits.</summary>
    public static string VersionDigest(string value, string field = "version") =>
        value.Length == 71 && value.StartsWith("sha256:", StringComparison.Ordinal) && value.AsSpan(7).IndexOfAnyExcept("0123456789abcdef") < 0
            ? value
            : throw new InvalidRequestException(field, value, "give 'sha256:' and 64 hexadecimal digits in lower case");

    /// <summary>A whole number within bounds, both included.</summary>
    public static int Within(string field, int value, int minimum, int maximum) =>
        value >= minimum && value <= maximum
            ? value
            : throw new InvalidRequestException(field, value, $"give a whole number from {minimum} to {maximum}");

    /// <summary>A finite number within bounds, both included.</summary>
    public static double Within(string field, double value, double minimum, double maximum) =>
        value >= minimum && value <= maximum // false for NaN
            ? value
            : throw new InvalidRequestException(field, value, string.Create(CultureInfo.InvariantCulture, $"give a number from {minimum} to {maximum}"));

    /// <summary>The seed of the first of <paramref name="count"/> pictures, each of which adds its index.</summary>
    public static long Seed(string field, long value, int count) =>
        value >= 0 && value <= long.MaxValue - count
            ? value
            : throw new InvalidRequestException(field, value, $"give a whole number from 0 to {long.MaxValue - count}");

    /// <summary>Prompt text: at most 16,384 characters, no lone surrogates, no NUL.</summary>
    public static string Prompt(string field, string value)
    {
        const int MaxLength = 16_384;
        if (value.Length > MaxLength)
        {
            throw new InvalidRequestException(field, value, $"give at most {MaxLength} characters");
        }

        for (int i = 0; i < value.Length; i++)
        {
            bool pair = char.IsHighSurrogate(value[i]) && i + 1 < value.Length && char.IsLowSurrogate(value[i + 1]);
            if (value[i] == '\0' || (char.IsSurrogate(value[i]) && !pair))
            {
                throw new InvalidRequestException(field, $"text with U+{(int)value[i]:X4} at position {i}", "give valid Unicode text without NUL characters");
            }

            i += pair ? 1 : 0;
        }

        return value;
    }
}
