using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;

namespace Fleet.Client.Registry;

/// <summary>How a client reaches the registry.</summary>
internal static class RegistryChannel
{
    private const string Service = "fleet.registry.v1.Registry";

    // Calls that only read. SetAlias and DeleteAlias may not be repeated: the first attempt may have done its work. Transfers and publishing
    // are repeated by those who know where to go on.
    private static readonly string[] RepeatableCalls =
        ["FindMissingBlobs", "GetUploadOffset", "Resolve", "GetManifest", "ListVersions", "ListAliases"];

    public static GrpcChannel Open(string address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(5),
            EnableMultipleHttp2Connections = true, // many parts travel at once, and a connection carries 100 streams

            // Without pings a registry that lost power in the middle of a stream would look like one that thinks.
            KeepAlivePingDelay = TimeSpan.FromSeconds(15),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        },
        DisposeHttpClient = true,
        ServiceConfig = new ServiceConfig { MethodConfigs = { RepeatWhenUnavailable() } },
    });

    private static MethodConfig RepeatWhenUnavailable()
    {
        var config = new MethodConfig
        {
            RetryPolicy = new RetryPolicy
            {
                MaxAttempts = 5,
                InitialBackoff = TimeSpan.FromMilliseconds(200),
                BackoffMultiplier = 2,
                MaxBackoff = TimeSpan.FromSeconds(2),
                RetryableStatusCodes = { StatusCode.Unavailable },
            },
        };
        foreach (string call in RepeatableCalls)
        {
            config.Names.Add(new MethodName { Service = Service, Method = call });
        }

        return config;
    }
}
