using System.Threading.Channels;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Fleet.Serving.Tests.Warmups;

/// <summary>A registry's Traffic service whose list of warm-ups the test writes, and whose reports it reads.</summary>
internal sealed class TrafficPeer : Traffic.TrafficBase, IAsyncDisposable
{
    private readonly Channel<IReadOnlyList<Warmup>> lists = Channel.CreateUnbounded<IReadOnlyList<Warmup>>();
    private readonly Channel<ReportReadinessRequest> reports = Channel.CreateUnbounded<ReportReadinessRequest>();
    private WebApplication app = null!;

    public string Address => app.Urls.Single();

    public WatchWarmupsRequest? Watching { get; private set; }

    public static async Task<TrafficPeer> StartAsync(string url = "http://127.0.0.1:0")
    {
        var peer = new TrafficPeer();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url).ConfigureKestrel(kestrel => kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(peer);
        peer.app = builder.Build();
        peer.app.MapGrpcService<TrafficPeer>();
        await peer.app.StartAsync();
        return peer;
    }

    /// <summary>Says what is wanted from now on.</summary>
    public void List(params IReadOnlyList<Warmup> warmups) => lists.Writer.TryWrite(warmups);

    /// <summary>The reports' progress of one rollout until one is as asked; those before it included.</summary>
    public async Task<IReadOnlyList<WarmupProgress>> UntilAsync(string rollout, Func<WarmupProgress, bool> reached)
    {
        var seen = new List<WarmupProgress>();
        await foreach (var report in reports.Reader.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            seen.AddRange(report.Progress.Where(progress => progress.Rollout == rollout));
            if (seen.Count > 0 && reached(seen[^1]))
            {
                break;
            }
        }

        return seen;
    }

    public override async Task WatchWarmups(WatchWarmupsRequest request, IServerStreamWriter<WatchWarmupsResponse> responses, ServerCallContext context)
    {
        Watching = request;
        await foreach (var list in lists.Reader.ReadAllAsync(context.CancellationToken))
        {
            await responses.WriteAsync(new WatchWarmupsResponse { Warmups = { list } });
        }
    }

    public override Task<ReportReadinessResponse> ReportReadiness(ReportReadinessRequest request, ServerCallContext context)
    {
        reports.Writer.TryWrite(request);
        return Task.FromResult(new ReportReadinessResponse());
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
    }
}
