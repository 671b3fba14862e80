using Fleet.Hosting;
using Fleet.Serving;
using Fleet.Serving.Warmups;

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

        services.AddSlice();
        services.AddDeviceQueue("encoder device");
        services.AddResidentModels(EncoderModel.Wants, EncoderModel.Load);
        services.AddWarmups<EncoderModel, EncoderTrial>("encoder");
        services.AddSingleton<EncodingEngine>();

        var app = builder.Build();
        app.MapGrpcService<EncoderService>();

        // Opened now: a device that is not there, or a libtorch that cannot be loaded, is said when the process starts.
        _ = app.Services.GetRequiredService<EncodingEngine>();
        return app.MapFleetDefaults();
    }
}
