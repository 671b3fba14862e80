using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;

namespace Fleet.Client.Registry;

/// <summary>How a client reaches the registry.</summary>
internal static class RegistryChannel
{
    // Calls that only read. SetAlias and DeleteAlias may not be repeated: the first attempt may have done its work. Transfers and publishing
    // are repeated by those who know where to go on.
    private static readonly (string Service, string[] Methods)[] RepeatableCalls =
    [
        ("fleet.registry.v1.Registry",
            ["FindMissingBlobs", "GetUploadOffset", "Resolve", "GetManifest", "ListVersions", "ListAliases", "ListSignatures", "ListUsage"]),
        ("fleet.registry.v1.Rollouts", ["CheckPlan", "GetRollout", "ListRollouts", "ListSamples"]),
        ("fleet.registry.v1.Audit", ["ListEntries", "GetAliasAt", "VerifyLog"]),
    ];

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

    /// <summary>Calls over the channel, each with the token; an empty token is not sent.</summary>
    public static CallInvoker WithToken(GrpcChannel channel, string token) => token == ""
        ? channel.CreateCallInvoker()
        : channel.Intercept(headers =>
        {
            headers.Add("authorization", $"Bearer {token}");
            return headers;
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
        foreach (var (service, methods) in RepeatableCalls)
        {
            foreach (string method in methods)
            {
                config.Names.Add(new MethodName { Service = service, Method = method });
            }
        }

        return config;
    }
}
