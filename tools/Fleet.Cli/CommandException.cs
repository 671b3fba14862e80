namespace Fleet.Cli;

/// <summary>Ends a command with an exit code, one line for the reader and, where there is one, a remedy.</summary>
internal sealed class CommandException(int exitCode, string message, string? remedy = null, Exception? inner = null)
    : Exception(message, inner)
{
    public int ExitCode => exitCode;

    public string? Remedy => remedy;
}
