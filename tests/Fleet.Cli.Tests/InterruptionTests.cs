using System.Text.Json;
using Fleet.Testing;

namespace Fleet.Cli.Tests;

public sealed class InterruptionTests(RunningFleet fleet) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private FleetProgram Program => new(folder.Path);

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Generate_CtrlC_StopsTheJobOnTheFleetAndSaysSo()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are sent as POSIX has them.");
        Assert.SkipWhen(Signals.InterruptIsIgnored, "The tests run as a background job, which ignores Ctrl-C.");
        using var process = Program.Start(
            "generate", "a fox", "--steps", "1000", "--sampler", "euler", "--id", "to-be-stopped", "-o", "never.png", "--json", "--fleet", fleet.Gateway);
        string seen = await ReadUntilAsync(process.StandardOutput, "progress");

        Signals.Send(process, Signals.Interrupt);
        var run = await FleetProgram.EndAsync(process, seen);

        run.ExitCode.Should().Be(130, run.Error);
        run.Event("cancelled").GetProperty("id").GetString().Should().Be("to-be-stopped");
        run.Event("cancelled").GetProperty("jobStopped").GetBoolean().Should().BeTrue();
        run.Events[^1].GetProperty("message").GetString().Should().Contain("the fleet stopped job to-be-stopped");
        Directory.GetFiles(folder.Path).Should().BeEmpty();
    }

    [Fact]
    public async Task Generate_TerminatedWithAnEmbeddedFleet_EndsSoon()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are sent as POSIX has them.");
        using var process = Program.Start("generate", "a fox", "--steps", "1000", "--sampler", "euler", "--json", "--threads", "1");
        string seen = await ReadUntilAsync(process.StandardOutput, "progress");

        Signals.Send(process, Signals.Terminate);
        var run = await FleetProgram.EndAsync(process, seen);

        run.ExitCode.Should().Be(130, run.Error);
        run.Event("cancelled").GetProperty("jobStopped").GetBoolean().Should().BeTrue();
    }

    [Fact]
    public async Task Up_Terminated_StopsCleanly()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are sent as POSIX has them.");
        using var process = Program.Start("up", "--port", "0", "--registry-port", "0", "--json");
        string seen = await ReadUntilAsync(process.StandardOutput, "ready");

        Signals.Send(process, Signals.Terminate);
        var run = await FleetProgram.EndAsync(process, seen);

        run.ExitCode.Should().Be(0, run.Error);
        run.EventNames.Last().Should().Be("stopped");
        run.Error.Should().BeEmpty();
    }

    [Fact]
    public async Task Up_PortTaken_NamesTheWayOut()
    {
        var run = await Program.RunAsync("up", "--port", new Uri(fleet.Gateway).Port.ToString(), "--registry-port", "0");

        run.ExitCode.Should().Be(69, run.Error);
        run.Error.Should().Contain("in use").And.Contain("--port");
    }

    private static async Task<string> ReadUntilAsync(StreamReader output, string eventName)
    {
        string seen = "";
        while (await output.ReadLineAsync() is { } line)
        {
            seen += line + "\n";
            if (JsonDocument.Parse(line).RootElement.GetProperty("event").GetString() == eventName)
            {
                return seen;
            }
        }

        throw new InvalidOperationException($"The output ended before '{eventName}': {seen}");
    }
}
