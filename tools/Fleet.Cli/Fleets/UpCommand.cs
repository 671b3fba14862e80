using System.CommandLine;
using Fleet.Cli.Terminal;
using Microsoft.Extensions.Logging;

namespace Fleet.Cli.Fleets;

/// <summary><c>fleet up</c>: the whole fleet in one process, until it is told to stop.</summary>
internal static class UpCommand
{
    public const int GatewayPort = 7860;
    public const int RegistryPort = 7861;

    private static readonly Option<string> Listen = new("--listen")
    {
        HelpName = "ADDRESS",
        Description = "Network address of gateway and registry; 0.0.0.0 for all. There is no authentication",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    private static readonly Option<int?> Port = ValueOption.Integer("--port", "N", $"The gateway's port; 0 for any free one [default: {GatewayPort}]");

    private static readonly Option<int?> PortOfRegistry = ValueOption.Integer(
        "--registry-port", "N", $"The registry's port; 0 for any free one [default: {RegistryPort}]");

    public static Command Create()
    {
        var command = new DocumentedCommand(
            "up",
            "Run the whole fleet in one process until Ctrl-C",
            "fleet up",
            "fleet up --port 0 --registry-port 0 --json",
            "fleet up --device cuda:0 --listen 0.0.0.0")
        {
            Port,
            PortOfRegistry,
            Listen,
            FleetOptions.Device,
            FleetOptions.Threads,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var output = parsed.Output();
        var settings = parsed.EmbeddedSettings(LogLevel.Warning) with
        {
            Listen = parsed.GetValue(Listen)!,
            GatewayPort = PortOf(parsed, Port, GatewayPort),
            RegistryPort = PortOf(parsed, PortOfRegistry, RegistryPort),
        };

        await using (var fleet = await EmbeddedFleet.StartAsync(
            settings, registry => DefaultModel.EnsureAsync(registry, output, cancellation), cancellation))
        {
            Announce(fleet, output);
            await Task.Delay(Timeout.Infinite, cancellation).ContinueWith(_ => { }, TaskScheduler.Default);
            output.Say("Stopping…");
        }

        output.Event(new StoppedEvent());
        output.Say("Stopped.");
        return ExitCode.Success;
    }

    private static int PortOf(ParseResult parsed, Option<int?> option, int standard) => parsed.GetValue(option) switch
    {
        null => standard,
        int port and >= 0 and <= 65535 => port,
        var other => throw new CommandException(ExitCode.BadInput, $"{option.Name} is {other}; it must be 0 to 65535"),
    };

    private static void Announce(EmbeddedFleet fleet, Output output)
    {
        output.Event(new ReadyEvent(fleet.Gateway, fleet.Registry, fleet.Encoder, fleet.Denoiser, fleet.Decoder, FleetHome.Folder));
        output.Result($"gateway   {fleet.Gateway}");
        output.Result($"registry  {fleet.Registry}");
        output.Result($"encoder   {fleet.Encoder}");
        output.Result($"denoiser  {fleet.Denoiser}");
        output.Result($"decoder   {fleet.Decoder}");
        output.Result($"data      {FleetHome.Folder}");
        output.Say($"Ready. Make a picture with: fleet generate \"a photo of a fox\" --fleet {fleet.Gateway}");
        output.Say("Ctrl-C stops the fleet.");
    }
}
