using System.CommandLine;
using Fleet.Cli.Fleets;
using Fleet.Cli.Terminal;

namespace Fleet.Cli.Doctor;

/// <summary><c>fleet doctor</c>: whether a fleet can work here, and what to do when not.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "doctor",
            "Check whether a fleet can work on this machine, and say what to do when not",
            "fleet doctor",
            "fleet doctor --json");
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        int faults = 0;
        await foreach (var finding in CheckAsync(parsed, cancellation))
        {
            Report(finding, output);
            faults += finding.Health == Health.Fault ? 1 : 0;
        }

        output.Say(faults == 0 ? "A fleet can work here." : $"A fleet cannot work here: {faults} faults.");
        return faults == 0 ? ExitCode.Success : ExitCode.Negative;
    }

    private static async IAsyncEnumerable<Finding> CheckAsync(
        ParseResult parsed, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        yield return MachineChecks.Runtime();
        yield return MachineChecks.Processor();
        yield return MachineChecks.Memory();
        foreach (var finding in TorchChecks.All())
        {
            yield return finding;
        }

        var home = MachineChecks.Home();
        yield return home;
        yield return MachineChecks.Disk();
        yield return MachineChecks.Loopback();
        yield return MachineChecks.Port("gateway", UpCommand.GatewayPort, "--port");
        yield return MachineChecks.Port("registry", UpCommand.RegistryPort, "--registry-port");
        if (home.Health == Health.Ok)
        {
            foreach (var finding in await RegistryChecks.AllAsync(parsed.EmbeddedSettings(), cancellation))
            {
                yield return finding;
            }
        }
    }

    private static void Report(Finding finding, Output output)
    {
        string status = finding.Health switch { Health.Ok => "ok", Health.Warning => "warning", _ => "fault" };
        output.Event(new CheckEvent(finding.Name, status, finding.Detail, finding.Remedy));
        output.Result($"{status,-8} {finding.Name,-12} {finding.Detail}");
        if (finding.Remedy is not null)
        {
            output.Result($"{"",-21} {finding.Remedy}");
        }
    }
}
