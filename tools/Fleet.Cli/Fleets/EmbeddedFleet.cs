using Fleet.Decoder;
using Fleet.Denoiser;
using Fleet.Diffusion;
using Fleet.Encoder;
using Fleet.Gateway;
using Fleet.Registry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Fleet.Cli.Fleets;

/// <summary>The five services in this process, over loopback, by the same hosts that run them apart.</summary>
internal sealed class EmbeddedFleet : IAsyncDisposable
{
    private readonly Lock adding = new();

    // In the order of starting; stopped the other way round, so that nobody loses a service it still calls.
    private readonly List<WebApplication> running = [];
    private Task starting = Task.CompletedTask; // what starts beside the others

    private EmbeddedFleet()
    {
    }

    public string Gateway { get; private set; } = "";

    public string Registry { get; private set; } = "";

    public string Encoder { get; private set; } = "";

    public string Denoiser { get; private set; } = "";

    public string Decoder { get; private set; } = "";

    /// <summary>Starts all five.</summary>
    /// <param name="settings">How they run.</param>
    /// <param name="prepare">Given the registry's address as soon as there is one; over when the fleet is up.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<EmbeddedFleet> StartAsync(
        EmbeddedSettings settings, Func<string, Task> prepare, CancellationToken cancellation)
    {
        _ = Task.Run(TorchRuntime.EnsureLoaded, cancellation); // the longest part of a start; a failure is the first stage's to report
        var fleet = new EmbeddedFleet();
        try
        {
            fleet.Registry = await fleet.StartRegistryServiceAsync(settings, cancellation);
            string[] stage =
            [
                .. settings.Logging(), .. settings.Slice(), $"--Registry:Address={fleet.Registry}", $"--Store:Path={FleetHome.Versions}",
                "--urls=http://127.0.0.1:0",
            ];
            var encoder = Task.Run(() => fleet.StartAsync(EncoderHost.Create, stage, cancellation), cancellation);
            fleet.starting = Task.WhenAll(encoder, prepare(fleet.Registry));
            fleet.Decoder = await fleet.StartAsync(DecoderHost.Create, stage, cancellation);
            fleet.Denoiser = await fleet.StartAsync(DenoiserHost.Create, [.. stage, $"--Decoder:Address={fleet.Decoder}"], cancellation);
            fleet.Encoder = await encoder;
            fleet.Gateway = await fleet.StartAsync(
                GatewayHost.Create,
                [
                    .. settings.Logging(), settings.Url(settings.GatewayPort),
                    $"--Stages:Encoder={fleet.Encoder}", $"--Stages:Denoiser={fleet.Denoiser}", $"--Stages:Decoder={fleet.Decoder}",
                    $"--Stages:Registry={fleet.Registry}", $"--Gateway:DefaultModel={DefaultModel.Reference}",
                ],
                cancellation);
            await fleet.starting;
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the registry alone, for commands that only move models.</summary>
    public static async Task<EmbeddedFleet> StartRegistryAsync(EmbeddedSettings settings, CancellationToken cancellation)
    {
        var fleet = new EmbeddedFleet();
        fleet.Registry = await fleet.StartRegistryServiceAsync(settings, cancellation);
        return fleet;
    }

    public async ValueTask DisposeAsync()
    {
        await starting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var service in running.AsEnumerable().Reverse())
        {
            await service.StopAsync();
            await service.DisposeAsync();
        }

        running.Clear();
    }

    private Task<string> StartRegistryServiceAsync(EmbeddedSettings settings, CancellationToken cancellation)
    {
        FleetHome.MustBeUsable();
        string[] arguments = [.. settings.Logging(), settings.Url(settings.RegistryPort), $"--Registry:DataPath={FleetHome.Registry}"];
        return StartAsync(RegistryHost.Create, arguments, cancellation);
    }

    // Answers the address at which this process reaches the service: the port may be the system's choice.
    private async Task<string> StartAsync(Func<string[], WebApplication> create, string[] arguments, CancellationToken cancellation)
    {
        var service = Create(create, arguments);
        lock (adding)
        {
            running.Add(service);
        }

        await service.StartAsync(cancellation);
        var listening = new UriBuilder(service.Urls.First());
        if (listening.Host is "0.0.0.0" or "[::]" or "+" or "*")
        {
            listening.Host = "127.0.0.1";
        }

        return listening.Uri.GetLeftPart(UriPartial.Authority);
    }

    // A stage opens its device when it is put together.
    private static WebApplication Create(Func<string[], WebApplication> create, string[] arguments)
    {
        try
        {
            return create(arguments);
        }
        catch (ArgumentException exception) when (exception.ParamName is "device" or "dtype")
        {
            string message = exception.Message.Replace($" (Parameter '{exception.ParamName}')", "", StringComparison.Ordinal);
            throw new CommandException(ExitCode.BadInput, message, "'fleet doctor' lists the devices", exception);
        }
    }
}

/// <summary>What the commands may say about an embedded fleet. Port 0: any free one.</summary>
internal sealed record EmbeddedSettings(
    LogLevel Logs, string? Device = null, int? Threads = null, string Listen = "127.0.0.1", int GatewayPort = 0, int RegistryPort = 0)
{
    public string Url(int port) => $"--urls=http://{Listen}:{port}";

    // A rule for the provider beats the services' own rules for categories; standard output is the command's.
    public string[] Logging()
    {
        var framework = Logs < LogLevel.Warning ? LogLevel.Warning : LogLevel.None; // what it says of a failed start, the command says
        return
        [
            $"--Logging:Console:LogLevel:Default={Logs}", $"--Logging:Console:LogLevel:Microsoft={framework}",
            $"--Logging:Console:LogLevel:Grpc={framework}", $"--Logging:Console:LogToStandardErrorThreshold={LogLevel.Trace}",
        ];
    }

    public IEnumerable<string> Slice()
    {
        if (Device is not null)
        {
            yield return $"--Slice:Device={Device}";
        }

        if (Threads is not null)
        {
            yield return $"--Slice:Threads={Threads}";
        }
    }
}
