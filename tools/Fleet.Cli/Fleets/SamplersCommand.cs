using System.CommandLine;
using Fleet.Cli.Terminal;
using Fleet.Client;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Diffusion.Sampling;

namespace Fleet.Cli.Fleets;

/// <summary><c>fleet samplers</c>: what <c>--sampler</c> may name.</summary>
internal static class SamplersCommand
{
    public static Command Create()
    {
        var command = new DocumentedCommand(
            "samplers",
            "List the samplers that a request may name",
            "fleet samplers",
            "fleet samplers --fleet http://127.0.0.1:7860 --json")
        {
            FleetOptions.Fleet,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        var samplers = await ListAsync(parsed, cancellation);

        foreach (var s in samplers)
        {
            output.Event(new SamplerEvent(s.Name, s.ClassName, s.CallsPerStep, s.Stochastic, s.AcceptsSigmas, s.Reference));
        }

        var lines = TextTable.Format(
            ["NAME", "CALLS A STEP", "DRAWS NOISE", "SCHEDULES", "REFERENCE"],
            [
                .. samplers.Select(s => (IReadOnlyList<string>)
                [
                    s.Name, $"{s.CallsPerStep}", s.Stochastic ? "yes" : "no", s.AcceptsSigmas ? "karras, exponential, beta" : "own only", s.Reference,
                ]),
            ]);
        foreach (string line in lines)
        {
            output.Result(line);
        }

        return ExitCode.Success;
    }

    // Without an address: what a fleet of this program offers, which needs no fleet to be told.
    private static async Task<IReadOnlyList<SchedulerInfo>> ListAsync(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.FleetAddress() is { } gateway)
        {
            using var client = new FleetClient(gateway);
            return await client.ListSchedulersAsync(cancellation);
        }

        return
        [
            .. Schedulers.All.Select(s => new SchedulerInfo
            {
                Name = s.Name,
                ClassName = s.ClassName,
                Reference = s.Reference,
                CallsPerStep = s.CallsPerStep,
                Stochastic = s.Stochastic,
                AcceptsSigmas = s.AcceptsSigmas,
            }),
        ];
    }
}
