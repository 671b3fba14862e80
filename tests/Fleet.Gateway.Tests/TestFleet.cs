using Fleet.Client;
using Fleet.Contracts.Generation.V1;
using Fleet.Gateway.Stages;
using Fleet.Gateway.Tests.Peers;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;

namespace Fleet.Gateway.Tests;

// The real gateway host between real gRPC clients and gRPC peers that stand where the stages would.
internal sealed class TestFleet : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WebApplication gateway;
    private readonly Dictionary<string, PeerHost> hosts;
    private readonly GrpcChannel channel;

    private TestFleet(WebApplication gateway, Dictionary<string, PeerHost> hosts, EncoderPeer encoder, DenoiserPeer denoiser, DecoderPeer decoder, RegistryPeer registry)
    {
        this.gateway = gateway;
        this.hosts = hosts;
        Encoder = encoder;
        Denoiser = denoiser;
        Decoder = decoder;
        Registry = registry;
        channel = GrpcChannel.ForAddress(Address);
        Raw = new Generation.GenerationClient(channel);
        Client = new FleetClient(channel, new FleetClientOptions { FirstRetryDelay = TimeSpan.FromMilliseconds(10) });
    }

    public string Address => gateway.Urls.Single();

    public EncoderPeer Encoder { get; }

    public DenoiserPeer Denoiser { get; }

    public DecoderPeer Decoder { get; }

    public RegistryPeer Registry { get; }

    public FleetClient Client { get; }

    // The generated stub, for what the client library would not send.
    public Generation.GenerationClient Raw { get; }

    public static async Task<TestFleet> StartAsync(params string[] settings)
    {
        var (encoder, denoiser, decoder, registry) = (new EncoderPeer(), new DenoiserPeer(), new DecoderPeer(), new RegistryPeer());
        var hosts = new Dictionary<string, PeerHost>
        {
            ["Encoder"] = await PeerHost.StartAsync(encoder),
            ["Denoiser"] = await PeerHost.StartAsync(denoiser),
            ["Decoder"] = await PeerHost.StartAsync(decoder),
            ["Registry"] = await PeerHost.StartAsync(registry),
        };
        var gateway = GatewayHost.Create(
        [
            "--urls=http://127.0.0.1:0",
            "--Logging:LogLevel:Default=None",
            "--Gateway:DefaultModel=tiny",
            "--Gateway:StageRetryDelay=00:00:00.005",
            .. hosts.Select(host => $"--Stages:{host.Key}={host.Value.Address}"),
            .. settings,
        ]);
        await gateway.StartAsync();
        return new TestFleet(gateway, hosts, encoder, denoiser, decoder, registry);
    }

    public IServiceProvider Services => gateway.Services;

    public Task StopGatewayAsync() => gateway.StopAsync(TestContext.Current.CancellationToken);

    public ValueTask StopAsync(string stage) => hosts[stage].DisposeAsync();

    public AsyncDuplexStreamingCall<GenerateRequest, GenerateResponse> Call(GenerateStart start, DateTime? deadline = null, Metadata? headers = null)
    {
        var call = Raw.Generate(headers, deadline);
        call.RequestStream.WriteAsync(new GenerateRequest { Start = start });
        return call;
    }

    public async Task<List<GenerationEvent>> GenerateAsync(GenerationRequest request) =>
        await Client.GenerateAsync(request, TestContext.Current.CancellationToken).ToListAsync();

    public async Task<List<GenerateResponse>> RunAsync(GenerateStart start)
    {
        using var call = Call(start);
        return await call.ResponseStream.ReadAllAsync().ToListAsync();
    }

    // The status of a request that is refused; without messages beyond start the stream stays open.
    public async Task<RpcException> RefusalAsync(GenerateStart start)
    {
        var run = () => RunAsync(start);
        return (await run.Should().ThrowAsync<RpcException>()).Which;
    }

    // The status of a stream of messages that is refused at its end at the latest.
    public async Task<RpcException> RefusalAsync(params GenerateRequest[] messages)
    {
        using var call = Raw.Generate(cancellationToken: TestContext.Current.CancellationToken);
        await StageStream.SendAllAsync(call.RequestStream, messages, TestContext.Current.CancellationToken);
        var read = () => call.ResponseStream.MoveNext(TestContext.Current.CancellationToken);
        return (await read.Should().ThrowAsync<RpcException>()).Which;
    }

    // A call whose request messages are bytes as they go over the wire.
    public AsyncDuplexStreamingCall<byte[], GenerateResponse> RawBytesCall()
    {
        var method = new Method<byte[], GenerateResponse>(
            MethodType.DuplexStreaming,
            "fleet.generation.v1.Generation",
            "Generate",
            Marshallers.Create(bytes => bytes, bytes => bytes),
            Marshallers.Create(response => response.ToByteArray(), GenerateResponse.Parser.ParseFrom));
        return channel.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, new CallOptions());
    }

    public async ValueTask DisposeAsync()
    {
        channel.Dispose();
        await gateway.DisposeAsync();
        foreach (var host in hosts.Values)
        {
            await host.DisposeAsync();
        }
    }
}
