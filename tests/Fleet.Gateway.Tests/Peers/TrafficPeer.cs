using System.Threading.Channels;
using Fleet.Contracts.Registry.V1;
using Grpc.Core;

namespace Fleet.Gateway.Tests.Peers;

// Says how traffic is split, as a test sets it, and keeps what is reported.
internal sealed class TrafficPeer : Traffic.TrafficBase
{
    private readonly Lock gate = new();
    private readonly List<ReportOutcomesRequest> reports = [];
    private readonly HashSet<(string Reporter, long Sequence)> known = [];
    private readonly Channel<RequestOutcome> outcomes = Channel.CreateUnbounded<RequestOutcome>();
    private readonly Channel<Sample> pairs = Channel.CreateUnbounded<Sample>();
    private readonly List<ChannelWriter<WatchTrafficResponse>> watchers = [];
    private WatchTrafficResponse traffic = new();

    // Called with the number of the call, from 1, before anything of a report is kept.
    public Func<int, ServerCallContext, Task> BeforeReport { get; set; } = (_, _) => Task.CompletedTask;

    public int ReportCalls { get; private set; }

    // Reports that were taken, each once.
    public IReadOnlyList<ReportOutcomesRequest> Reports
    {
        get
        {
            lock (gate)
            {
                return [.. reports];
            }
        }
    }

    public void Set(params ModelTraffic[] models)
    {
        lock (gate)
        {
            traffic = new WatchTrafficResponse { Models = { models } };
            watchers.ForEach(watcher => watcher.TryWrite(traffic));
        }
    }

    public async Task<RequestOutcome> NextOutcomeAsync() => await outcomes.Reader.ReadAsync().AsTask().WaitAsync(TestFleet.Patience);

    public async Task<Sample> NextPairAsync() => await pairs.Reader.ReadAsync().AsTask().WaitAsync(TestFleet.Patience);

    public bool HasMoreOutcomes => outcomes.Reader.Count > 0;

    public override async Task WatchTraffic(WatchTrafficRequest request, IServerStreamWriter<WatchTrafficResponse> responses, ServerCallContext context)
    {
        var changes = Channel.CreateUnbounded<WatchTrafficResponse>();
        lock (gate)
        {
            watchers.Add(changes.Writer);
            changes.Writer.TryWrite(traffic);
        }

        await foreach (var change in changes.Reader.ReadAllAsync(context.CancellationToken))
        {
            await responses.WriteAsync(change);
        }
    }

    public override async Task<ReportOutcomesResponse> ReportOutcomes(ReportOutcomesRequest request, ServerCallContext context)
    {
        await BeforeReport(++ReportCalls, context);
        lock (gate)
        {
            if (known.Add((request.Reporter, request.Sequence)))
            {
                reports.Add(request);
                request.Outcomes.ToList().ForEach(outcome => outcomes.Writer.TryWrite(outcome));
                request.Pairs.ToList().ForEach(pair => pairs.Writer.TryWrite(pair));
            }
        }

        return new ReportOutcomesResponse();
    }
}
