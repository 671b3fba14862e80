using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;

namespace Fleet.Cli.Terminal;

internal enum OutputMode
{
    Normal,
    Quiet,
    Json,
}

/// <summary>
/// Where a command's words go: results to standard output, everything said along the way to standard error. With
/// <c>--json</c> all of it is events, one a line, on standard output.
/// </summary>
internal sealed class Output(OutputMode mode, bool verbose)
{
    private static readonly JsonEvents Events = new(new JsonSerializerOptions(JsonEvents.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // for terminals and files, not for HTML
    });

    private readonly Lock writing = new();
    private readonly Lazy<IAnsiConsole> screen = new(() => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(Console.Error),
    }));

    public OutputMode Mode => mode;

    public bool Verbose => verbose;

    /// <summary>Standard error as a terminal that can redraw, or null when it is none or nothing may be drawn.</summary>
    public IAnsiConsole? Screen =>
        mode == OutputMode.Normal && !Console.IsErrorRedirected && screen.Value.Profile.Capabilities.Ansi ? screen.Value : null;

    /// <summary>A result, in the modes for readers and for pipes.</summary>
    public void Result(string line)
    {
        if (mode != OutputMode.Json)
        {
            lock (writing)
            {
                Console.Out.WriteLine(line);
            }
        }
    }

    /// <summary>A result as an event.</summary>
    public void Event(JsonEvent happened)
    {
        if (mode == OutputMode.Json)
        {
            string line = JsonSerializer.Serialize(happened, Events.JsonEvent);
            lock (writing)
            {
                Console.Out.WriteLine(line);
            }
        }
    }

    /// <summary>Something worth knowing that is no result.</summary>
    public void Notice(string message)
    {
        Event(new NoticeEvent(message));
        Say(message);
    }

    /// <summary>A line for a reader who watches.</summary>
    public void Say(string line)
    {
        if (Screen is { } drawn)
        {
            drawn.WriteLine(line); // goes above what is being redrawn
        }
        else if (mode == OutputMode.Normal)
        {
            Console.Error.WriteLine(line);
        }
    }

    /// <summary>Reports a failure and returns the exit code.</summary>
    /// <param name="exception">What went wrong.</param>
    /// <param name="address">Whom the command talked to, when it was told.</param>
    public int Fail(Exception exception, string? address)
    {
        var failure = Failure.From(exception, address);
        Event(new ErrorEvent(failure.ExitCode, failure.Message, failure.Remedy));
        if (mode != OutputMode.Json)
        {
            Console.Error.WriteLine($"fleet: {failure.Message}");
            if (failure.Remedy is not null)
            {
                Console.Error.WriteLine($"       {failure.Remedy}");
            }
        }

        if (verbose)
        {
            Console.Error.WriteLine(exception);
        }

        return failure.ExitCode;
    }
}
