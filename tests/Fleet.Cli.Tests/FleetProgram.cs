using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Fleet.Cli.Tests;

/// <summary>What a run of the program left: its exit code and all it wrote.</summary>
internal sealed record ProgramRun(int ExitCode, string Output, string Error)
{
    public IReadOnlyList<JsonElement> Events =>
        [.. Lines.Select(line => JsonDocument.Parse(line).RootElement)];

    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public IEnumerable<string?> EventNames => Events.Select(happened => happened.GetProperty("event").GetString());

    public JsonElement Event(string name) => Events.First(happened => happened.GetProperty("event").GetString() == name);
}

/// <summary>The real program as a process of its own, run in a folder that is also its FLEET_HOME unless another is given.</summary>
internal sealed class FleetProgram(string folder, string? home = null)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // tests build into artifacts/bin/Fleet.Cli.Tests/CONFIGURATION; the program lies beside
    private static readonly string Program = Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Fleet.Cli", new DirectoryInfo(AppContext.BaseDirectory).Name, "Fleet.Cli.dll");

    public async Task<ProgramRun> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        return await EndAsync(process, "");
    }

    public Process Start(params string[] arguments) => StartCommand("dotnet", [Program, .. arguments]);

    /// <summary>Runs the program in a terminal with 24-bit colours; arguments may hold no spaces. Everything comes as one output.</summary>
    public async Task<ProgramRun> RunInTerminalAsync(params string[] arguments)
    {
        using var process = StartCommand("script", ["--quiet", "--return", "--command", $"dotnet {Program} {string.Join(' ', arguments)}", "/dev/null"]);
        return await EndAsync(process, "");
    }

    private Process StartCommand(string command, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = folder,
        };
        start.Environment["TERM"] = "xterm-256color";
        start.Environment["COLORTERM"] = "truecolor";
        start.Environment.Remove("NO_COLOR");
        start.Environment["FLEET_HOME"] = home ?? Path.Combine(folder, ".home");
        start.Environment.Remove("FLEET_URL");
        start.Environment.Remove("FLEET_REGISTRY");
        start.Environment.Remove("FLEET_REGISTRY_TOKEN");
        start.Environment.Remove("HF_ENDPOINT");
        start.Environment.Remove("HF_TOKEN");
        start.Environment.Remove("FLEET_MODEL");
        return Process.Start(start)!;
    }

    /// <summary>Waits for the end; <paramref name="outputSoFar"/> is what the caller has read already.</summary>
    public static async Task<ProgramRun> EndAsync(Process process, string outputSoFar)
    {
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience);
        var error = process.StandardError.ReadToEndAsync(limit.Token);
        string output = outputSoFar + await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return new ProgramRun(process.ExitCode, output, await error);
    }
}
