using Fleet.Contracts.Decoder.V1;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Encoder.V1;
using Fleet.Contracts.Registry.V1;
using Fleet.Hosting;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Stages;

/// <summary>The gateway's channels: the one place that knows how a stage is reached.</summary>
internal sealed class StageClients : IDisposable
{
    private readonly List<GrpcChannel> channels = [];

    public StageClients(IOptions<StageOptions> options)
    {
        Encoder = new Encoder.EncoderClient(Open(options.Value.Encoder));
        Denoiser = new Denoiser.DenoiserClient(Open(options.Value.Denoiser));
        Decoder = new Decoder.DecoderClient(Open(options.Value.Decoder));
        var registry = WithToken(Open(options.Value.Registry), options.Value);
        Registry = new Registry.RegistryClient(registry);
        Traffic = new Traffic.TrafficClient(registry);
    }

    public Encoder.EncoderClient Encoder { get; }

    public Denoiser.DenoiserClient Denoiser { get; }

    public Decoder.DecoderClient Decoder { get; }

    public Registry.RegistryClient Registry { get; }

    public Traffic.TrafficClient Traffic { get; }

    public void Dispose() => channels.ForEach(channel => channel.Dispose());

    private GrpcChannel Open(Uri address)
    {
        var channel = StageChannel.Open(address);
        channels.Add(channel);
        return channel;
    }

    private static CallInvoker WithToken(GrpcChannel channel, StageOptions options)
    {
        string token = options.RegistryTokenFile is "" ? options.RegistryToken : File.ReadAllText(options.RegistryTokenFile).Trim();
        return token is ""
            ? channel.CreateCallInvoker()
            : channel.Intercept(headers =>
            {
                headers.Add("authorization", $"Bearer {token}");
                return headers;
            });
    }
}
