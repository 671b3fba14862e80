using System.Diagnostics;
using System.Text.Json;
using Fleet.Testing;

[assembly: AssemblyFixture(typeof(Fleet.Cli.Tests.RunningFleet))]

namespace Fleet.Cli.Tests;

/// <summary>One <c>fleet up</c> for all tests that need a fleet, and none of its own.</summary>
public sealed class RunningFleet : IAsyncLifetime
{
    private readonly TemporaryFolder home = new();
    private Process? process;

    public string Gateway { get; private set; } = "";

    public string Registry { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        process = new FleetProgram(home.Path).Start("up", "--port", "0", "--registry-port", "0", "--json", "--threads", "1");
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            var happened = JsonDocument.Parse(line).RootElement;
            if (happened.GetProperty("event").GetString() == "ready")
            {
                Gateway = happened.GetProperty("gateway").GetString()!;
                Registry = happened.GetProperty("registry").GetString()!;
                return;
            }
        }

        throw new InvalidOperationException($"The fleet did not start: {await process.StandardError.ReadToEndAsync()}");
    }

    public async ValueTask DisposeAsync()
    {
        Signals.Send(process!, Signals.Terminate);
        await FleetProgram.EndAsync(process!, "");
        process!.Dispose();
        home.Dispose();
    }
}
