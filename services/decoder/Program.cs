using Fleet.Hosting;
using Fleet.Serving;
using Fleet.Serving.Warmups;

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

        services.AddSlice();
        services.AddDeviceQueue("decoder device");
        services.AddResidentModels(DecoderModel.Wants, DecoderModel.Load);
        services.AddWarmups<DecoderModel, DecoderTrial>("decoder");
        services.AddSingleton<DecodingEngine>();
        services.AddSingleton<PictureComparer>();

        var app = builder.Build();
        app.MapGrpcService<DecoderService>();

        // Opened now: a device that is not there, or a libtorch that cannot be loaded, is said when the process starts.
        _ = app.Services.GetRequiredService<DecodingEngine>();
        return app.MapFleetDefaults();
    }
}
