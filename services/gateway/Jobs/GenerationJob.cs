using Fleet.Gateway.Requests;

namespace Fleet.Gateway.Jobs;

/// <summary>Runs one job to its end: publishes its events, or throws.</summary>
internal delegate Task RunGeneration(GenerationJob job, CancellationToken cancellationToken);

/// <summary>One request id's work and its events. What changes here while a job runs is changed by <see cref="JobTable"/> under its lock.</summary>
internal sealed class GenerationJob(GenerationOrder order)
{
    private long deadlineTicks;

    public string RequestId => order.RequestId;

    public GenerationParameters Parameters => order.Parameters;

    /// <summary>The files to start from. Disposed as soon as they are encoded.</summary>
    public InitFiles? Files => order.Files;

    public EventLog Events { get; } = new();

    public CancellationTokenSource Cancellation { get; } = new();

    /// <summary>The latest deadline of its callers.</summary>
    public DateTime Deadline
    {
        get => new(Interlocked.Read(ref deadlineTicks), DateTimeKind.Utc);
        set => Interlocked.Exchange(ref deadlineTicks, value.Ticks);
    }

    public int Callers { get; set; }

    public bool Finished { get; set; }

    /// <summary>While running: ends the job when nobody came back. Afterwards: forgets it.</summary>
    public ITimer? Timer { get; set; }
}
