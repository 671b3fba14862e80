using Fleet.Contracts.Decoder.V1;
using Fleet.Hosting;
using Fleet.Serving;
using Fleet.Serving.Warmups;
using Grpc.Net.Client;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Fleet.Denoiser;

/// <summary>The denoiser's process.</summary>
public static class DenoiserHost
{
    /// <summary>Runs the denoiser until it is told to stop.</summary>
    public static Task Main(string[] args) => Create(args).RunAsync();

    /// <summary>Puts the denoiser together.</summary>
    public static WebApplication Create(params string[] args)
    {
        var builder = FleetDefaults.CreateBuilder("denoiser", args);
        var services = builder.Services;

        services.AddFleetOptions<DenoiserOptions>(DenoiserOptions.Section);
        services.AddFleetOptions<DecoderOptions>(DecoderOptions.Section);

        services.AddSingleton(provider => StageChannel.Open(provider.GetRequiredService<IOptions<DecoderOptions>>().Value.Address));
        services.AddSingleton(provider => new Decoder.DecoderClient(provider.GetRequiredService<GrpcChannel>()));

        services.AddSlice();
        services.AddResidentModels(DenoiserModel.Wants, DenoiserModel.Load);
        services.AddWarmups<DenoiserModel, DenoiserTrial>("denoiser");
        services.AddSingleton<DenoisingEngine>();
        services.AddGrpcHealthChecks().AddCheck<LoopCheck>("loop");

        var app = builder.Build();
        app.MapGrpcService<DenoiserService>();

        // Opened now: a device that is not there, or a libtorch that cannot be loaded, is said when the process starts.
        _ = app.Services.GetRequiredService<DenoisingEngine>();
        return app.MapFleetDefaults();
    }

    private sealed class LoopCheck(DenoisingEngine engine) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellation) => Task.FromResult(
            engine.Alive ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("The denoising loop has ended."));
    }
}
