using Grpc.Net.Client;

namespace Fleet.Hosting;

/// <summary>How one service of the fleet reaches another.</summary>
public static class StageChannel
{
    /// <summary>Opens a channel. It connects when it is first used.</summary>
    /// <param name="address">Address of the service, for example http://decoder:8080.</param>
    public static GrpcChannel Open(Uri address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        MaxReceiveMessageSize = FleetDefaults.MaxMessageBytes,
        MaxSendMessageSize = FleetDefaults.MaxMessageBytes,
        HttpHandler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            EnableMultipleHttp2Connections = true,

            // Without pings a service that lost power in the middle of a stream would look like one that thinks.
            KeepAlivePingDelay = TimeSpan.FromSeconds(15),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        },
        DisposeHttpClient = true,
    });
}
