using System.Runtime.CompilerServices;
using Fleet.Contracts.Denoiser.V1;
using Fleet.Contracts.Generation.V1;
using Grpc.Core;
using Grpc.Net.Client;
using ListSchedulersRequest = Fleet.Contracts.Generation.V1.ListSchedulersRequest;

namespace Fleet.Client;

/// <summary>Makes pictures through a fleet's gateway. Safe for any number of threads and calls at once.</summary>
public sealed class FleetClient : IDisposable
{
    private readonly GrpcChannel? ownChannel;
    private readonly Generation.GenerationClient generation;
    private readonly FleetClientOptions options;

    /// <summary>Connects to a gateway by its address, for example <c>http://localhost:7860</c>.</summary>
    public FleetClient(string address, FleetClientOptions? options = null)
        : this(Connect(address), options)
    {
    }

    /// <summary>Uses a channel that stays the caller's to dispose.</summary>
    public FleetClient(ChannelBase channel, FleetClientOptions? options = null)
    {
        generation = new Generation.GenerationClient(channel);
        this.options = options ?? new FleetClientOptions();
    }

    private FleetClient(GrpcChannel own, FleetClientOptions? options)
        : this((ChannelBase)own, options)
    {
        ownChannel = own;
    }

    /// <summary>Makes pictures. Leaving the loop, or cancelling, stops the generation on the server.</summary>
    /// <remarks>
    /// A try that fails because the fleet is full or cannot be reached is made again, under the same request id, so that it joins the
    /// generation that is running or gets what is finished; no event but progress and previews is given twice, unless another
    /// version takes over, which <see cref="GenerationAccepted"/> says.
    /// </remarks>
    /// <exception cref="FleetException">The fleet refused the request or could not finish it; see the derived types.</exception>
    public async IAsyncEnumerable<GenerationEvent> GenerateAsync(
        GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        request.Check();
        var start = request.ToStart(request.RequestId ?? Guid.NewGuid().ToString("N"));
        DateTime? deadline = options.Time.GetUtcNow().UtcDateTime + (request.Timeout ?? options.Timeout);
        var retries = new RetrySchedule(options, deadline);
        var events = new EventAssembler();

        while (true)
        {
            events.Restart();
            await using var call = new GenerationCall(generation, start, request, deadline, cancellationToken);
            while (await NextAsync(call, events, retries, cancellationToken) is { } happened)
            {
                yield return happened;
                if (happened is ReceiptReceived)
                {
                    yield break;
                }
            }
        }
    }

    /// <summary>Stops a generation at its next step, whoever started it. False when no such generation was running.</summary>
    public async Task<bool> CancelAsync(string requestId, CancellationToken cancellationToken = default)
    {
        var request = new CancelGenerationRequest { RequestId = requestId };
        return (await CallAsync(generation.CancelGenerationAsync(request, cancellationToken: cancellationToken), cancellationToken)).Cancelled;
    }

    /// <summary>The schedulers that a request may name.</summary>
    public async Task<IReadOnlyList<SchedulerInfo>> ListSchedulersAsync(CancellationToken cancellationToken = default) =>
        (await CallAsync(generation.ListSchedulersAsync(new ListSchedulersRequest(), cancellationToken: cancellationToken), cancellationToken))
            .Schedulers;

    /// <inheritdoc/>
    public void Dispose() => ownChannel?.Dispose();

    // The next event; null when this try failed and, after the wait that is over now, another one is due.
    private static async Task<GenerationEvent?> NextAsync(
        GenerationCall call, EventAssembler events, RetrySchedule retries, CancellationToken cancellationToken)
    {
        try
        {
            while (await call.ReadAsync(cancellationToken) is { } response)
            {
                if (events.Add(response) is { } happened)
                {
                    return happened;
                }
            }

            await retries.WaitAsync(new FleetUnavailableException("The server ended the stream before the receipt."), cancellationToken);
        }
        catch (RpcException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await retries.WaitAsync(FleetException.From(e), cancellationToken);
        }

        return null;
    }

    private static GrpcChannel Connect(string address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            // Without pings a gateway that lost power in the middle of a picture would look like one that works on it.
            KeepAlivePingDelay = TimeSpan.FromSeconds(15),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            EnableMultipleHttp2Connections = true,
        },
        DisposeHttpClient = true,
    });

    private static async Task<T> CallAsync<T>(AsyncUnaryCall<T> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call;
        }
        catch (RpcException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw FleetException.From(e);
        }
    }
}
