using Fleet.Diffusion;
using Fleet.Hosting;
using Fleet.Serving;
using Fleet.Serving.Versions;
using Microsoft.Extensions.Options;

namespace Fleet.Encoder;

/// <summary>The encoder's process.</summary>
public static class EncoderHost
{
    /// <summary>Runs the encoder until it is told to stop.</summary>
    public static Task Main(string[] args) => Create(args).RunAsync();

    /// <summary>Puts the encoder together.</summary>
    public static WebApplication Create(params string[] args)
    {
        var builder = FleetDefaults.CreateBuilder("encoder", args);
        var services = builder.Services;

        services.AddFleetOptions<EncoderOptions>(EncoderOptions.Section);
        services.AddFleetOptions<SliceOptions>(SliceOptions.Section);

        services.AddVersionStore();
        services.AddSingleton(provider =>
        {
            var slice = provider.GetRequiredService<IOptions<SliceOptions>>().Value;
            return ComputeDevice.Open(slice.Device, slice.DType, slice.Threads);
        });
        services.AddSingleton(provider => new DeviceQueue(
            "encoder device",
            provider.GetRequiredService<IOptions<SliceOptions>>().Value.QueueCapacity,
            provider.GetRequiredService<ComputeDevice>().PrepareThread));
        services.AddSingleton(provider =>
        {
            var store = provider.GetRequiredService<VersionStore>();
            var device = provider.GetRequiredService<ComputeDevice>();
            var idle = provider.GetRequiredService<IOptions<SliceOptions>>().Value.IdleVersions;
            return new ResidentModels<EncoderModel>(
                async (version, cancellation) => EncoderModel.Load(await store.EnsureAsync(version, EncoderModel.Wants, cancellation), version, device),
                idle);
        });
        services.AddSingleton<EncodingEngine>();

        var app = builder.Build();
        app.MapGrpcService<EncoderService>();

        // Opened now: a device that is not there, or a libtorch that cannot be loaded, is said when the process starts.
        _ = app.Services.GetRequiredService<EncodingEngine>();
        return app.MapFleetDefaults();
    }
}
