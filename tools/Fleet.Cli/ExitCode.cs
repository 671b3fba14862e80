namespace Fleet.Cli;

/// <summary>What the process tells its caller. Numbers above 1 are those of sysexits.h and of shells.</summary>
internal static class ExitCode
{
    public const int Success = 0;
    public const int Negative = 1;
    public const int BadInput = 64;
    public const int BadData = 65;
    public const int NotFound = 66;
    public const int Unavailable = 69;
    public const int Internal = 70;
    public const int InputOutput = 74;
    public const int Busy = 75;
    public const int Cancelled = 130;

    public static IReadOnlyList<(int Code, string Meaning)> All { get; } =
    [
        (Success, "done"),
        (Negative, "the answer is no: a replay or two models differ, a check found a fault, an alias was not where it was expected, a canary was not promoted"),
        (BadInput, "an argument or a request is wrong; the message names it"),
        (BadData, "a file or a model is damaged or is not what was expected"),
        (NotFound, "a file, a model or a version does not exist"),
        (Unavailable, "the fleet cannot be reached, was too slow, or cannot start"),
        (Internal, "a fault inside the fleet"),
        (InputOutput, "reading or writing a file failed"),
        (Busy, "the fleet is full; try again later"),
        (Cancelled, "stopped by Ctrl-C or SIGTERM"),
    ];
}
