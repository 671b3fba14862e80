using Fleet.Diffusion;
using Fleet.Hosting;
using Fleet.Serving;
using Fleet.Serving.Versions;
using Microsoft.Extensions.Options;

namespace Fleet.Decoder;

/// <summary>The decoder's process.</summary>
public static class DecoderHost
{
    /// <summary>Runs the decoder until it is told to stop.</summary>
    public static Task Main(string[] args) => Create(args).RunAsync();

    /// <summary>Puts the decoder together.</summary>
    public static WebApplication Create(params string[] args)
    {
        var builder = FleetDefaults.CreateBuilder("decoder", args);
        var services = builder.Services;

        services.AddFleetOptions<DecoderOptions>(DecoderOptions.Section);
        services.AddFleetOptions<SliceOptions>(SliceOptions.Section);

        services.AddVersionStore();
        services.AddSingleton(provider =>
        {
            var slice = provider.GetRequiredService<IOptions<SliceOptions>>().Value;
            return ComputeDevice.Open(slice.Device, slice.DType, slice.Threads);
        });
        services.AddSingleton(provider => new DeviceQueue(
            "decoder device",
            provider.GetRequiredService<IOptions<SliceOptions>>().Value.QueueCapacity,
            provider.GetRequiredService<ComputeDevice>().PrepareThread));
        services.AddSingleton(provider =>
        {
            var store = provider.GetRequiredService<VersionStore>();
            var device = provider.GetRequiredService<ComputeDevice>();
            var idle = provider.GetRequiredService<IOptions<SliceOptions>>().Value.IdleVersions;
            return new ResidentModels<DecoderModel>(
                async (version, cancellation) => DecoderModel.Load(await store.EnsureAsync(version, DecoderModel.Wants, cancellation), version, device),
                idle);
        });
        services.AddSingleton<DecodingEngine>();

        var app = builder.Build();
        app.MapGrpcService<DecoderService>();

        // Opened now: a device that is not there, or a libtorch that cannot be loaded, is said when the process starts.
        _ = app.Services.GetRequiredService<DecodingEngine>();
        return app.MapFleetDefaults();
    }
}
