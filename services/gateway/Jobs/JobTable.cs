using Fleet.Gateway.Requests;
using Fleet.Hosting;
using Grpc.Core;
using Microsoft.Extensions.Options;

namespace Fleet.Gateway.Jobs;

/// <summary>
/// Jobs by request id: the running ones, and for a while the finished ones. A job that failed or was cancelled is dropped at once, so
/// that its id can be tried again.
/// </summary>
internal sealed partial class JobTable(RunGeneration run, IOptions<GatewayOptions> options, TimeProvider time, ILogger<JobTable> logger)
    : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, GenerationJob> jobs = [];
    private readonly LinkedList<GenerationJob> finished = []; // oldest first
    private readonly HashSet<GenerationJob> running = [];
    private readonly RetryHint retryHint = new();
    private long finishedBytes;

    /// <summary>Starts a job, or joins the one that has this id. Takes over the order's files.</summary>
    /// <exception cref="ConflictException">The id belongs to a job with other parameters.</exception>
    /// <exception cref="OverloadedException">As many jobs run as may.</exception>
    public JobCaller Open(GenerationOrder order, DateTime deadline)
    {
        try
        {
            lock (gate)
            {
                return jobs.TryGetValue(order.RequestId, out var known) ? Join(known, order, deadline) : Start(order, deadline);
            }
        }
        catch
        {
            order.Files?.Dispose();
            throw;
        }
    }

    /// <summary>Stops a running job for all its callers. False when there is none of this id.</summary>
    public bool Cancel(string requestId)
    {
        GenerationJob? job;
        lock (gate)
        {
            if (!jobs.TryGetValue(requestId, out job) || job.Finished)
            {
                return false;
            }

            jobs.Remove(requestId);
        }

        job.Events.End(new RpcException(new Status(StatusCode.Cancelled, $"The generation '{requestId}' was cancelled by CancelGeneration.")));
        job.Cancellation.Cancel();
        return true;
    }

    public void Leave(GenerationJob job)
    {
        lock (gate)
        {
            if (--job.Callers == 0 && running.Contains(job))
            {
                job.Timer?.Dispose();
                job.Timer = time.CreateTimer(_ => StopIfAbandoned(job), null, options.Value.CallerGrace, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        GenerationJob[] left;
        lock (gate)
        {
            left = [.. running];
            while (finished.First is { } oldest)
            {
                Forget(oldest.Value);
            }
        }

        Array.ForEach(left, job => job.Cancellation.Cancel());
    }

    private JobCaller Start(GenerationOrder order, DateTime deadline)
    {
        int limit = options.Value.MaxRunningJobs;
        if (running.Count >= limit)
        {
            throw new OverloadedException($"{running.Count} generations are running, which is the limit of this gateway; try again later.", retryHint.For(limit));
        }

        var job = new GenerationJob(order) { Callers = 1, Deadline = deadline };
        jobs.Add(order.RequestId, job);
        running.Add(job);
        _ = Task.Run(() => RunAsync(job));
        return new JobCaller(this, job, attached: false);
    }

    private JobCaller Join(GenerationJob job, GenerationOrder order, DateTime deadline)
    {
        if (job.Parameters.FirstDifference(order.Parameters) is { } field)
        {
            throw new ConflictException(
                $"request_id '{order.RequestId}' belongs to a generation with another {field}; use a new id, or send the same parameters.");
        }

        order.Files?.Dispose(); // the job has the same ones
        job.Callers++;
        if (!job.Finished)
        {
            job.Timer?.Dispose();
            job.Timer = null;
            job.Deadline = deadline > job.Deadline ? deadline : job.Deadline;
        }

        return new JobCaller(this, job, attached: true);
    }

    private async Task RunAsync(GenerationJob job)
    {
        long started = time.GetTimestamp();
        Exception? fault = null;
        try
        {
            await run(job, job.Cancellation.Token);
        }
        catch (Exception e)
        {
            fault = e;
            Log.Failed(logger, job.RequestId, e.Message);
        }

        // The table first: whoever has read the end of a failed job and repeats its id must get a new one.
        lock (gate)
        {
            running.Remove(job);
            job.Timer?.Dispose();
            job.Timer = null;
            if (fault is null)
            {
                retryHint.Observe(time.GetElapsedTime(started));
                Keep(job);
            }
            else
            {
                Drop(job);
            }
        }

        job.Events.End(fault);
        job.Files?.Dispose();
    }

    private void StopIfAbandoned(GenerationJob job)
    {
        lock (gate)
        {
            if (job.Callers > 0 || !running.Contains(job))
            {
                return;
            }

            Drop(job);
        }

        Log.Abandoned(logger, job.RequestId);
        job.Cancellation.Cancel();
    }

    private void Drop(GenerationJob job)
    {
        if (jobs.GetValueOrDefault(job.RequestId) == job)
        {
            jobs.Remove(job.RequestId);
        }
    }

    private void Keep(GenerationJob job)
    {
        if (jobs.GetValueOrDefault(job.RequestId) != job)
        {
            return; // cancelled in its last moment
        }

        job.Finished = true;
        job.Timer = time.CreateTimer(_ => Expire(job), null, options.Value.KeepFinishedFor, Timeout.InfiniteTimeSpan);
        finished.AddLast(job);
        finishedBytes += job.Events.Bytes;
        while (finishedBytes > options.Value.KeepFinishedBytes && finished.First is { } oldest)
        {
            Forget(oldest.Value);
        }
    }

    private void Expire(GenerationJob job)
    {
        lock (gate)
        {
            Forget(job);
        }
    }

    private void Forget(GenerationJob job)
    {
        if (finished.Remove(job))
        {
            job.Timer?.Dispose();
            finishedBytes -= job.Events.Bytes;
            jobs.Remove(job.RequestId);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Generation {RequestId} ended without a picture: {Reason}")]
        public static partial void Failed(ILogger logger, string requestId, string reason);

        [LoggerMessage(Level = LogLevel.Information, Message = "Generation {RequestId} has no caller left and is stopped")]
        public static partial void Abandoned(ILogger logger, string requestId);
    }
}
