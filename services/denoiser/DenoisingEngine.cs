using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Fleet.Diffusion;
using Fleet.Diffusion.Sampling;
using Fleet.Hosting;
using Fleet.Serving;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace Fleet.Denoiser;

/// <summary>What happens to a job, in order: waits, steps, latents (previews and final ones).</summary>
internal abstract record DenoisingEvent;

/// <summary>The job has a place; so many jobs wait before it.</summary>
internal sealed record Waiting(int Position) : DenoisingEvent;

/// <summary>A step of the job is done.</summary>
internal sealed record Stepped(int Step, TimeSpan StepTime, int BatchRows) : DenoisingEvent;

/// <summary>Latents of one picture, (1, c, h, w) float32: a guess at the result, or the result.</summary>
internal sealed record LatentsReady(int Index, bool Preview, int Step, long[] Shape, byte[] Data) : DenoisingEvent;

/// <summary>The job is done. It was on the device for a part of the time that it took, beside other jobs.</summary>
internal sealed record Finished(TimeSpan Queued, TimeSpan Computed, TimeSpan OnDevice) : DenoisingEvent;

/// <summary>
/// The loop. One thread owns the device; before each call of the network it lets waiting jobs join, drops cancelled ones and
/// takes the next batch among the jobs whose rows fit one call.
/// </summary>
/// <remarks>
/// All state of a job is in its rows, so a batch is put together anew for every call and rows may differ in timestep, number of
/// steps, scheduler and guidance. What must agree is the <see cref="BatchKey"/>.
/// </remarks>
internal sealed class DenoisingEngine : IAsyncDisposable
{
    private readonly ComputeDevice device;
    private readonly DenoiserOptions options;
    private readonly int queueCapacity;
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly object gate = new();
    // With so many events of a job not taken yet, its previews are left out: a preview that comes late is worth nothing.
    private const int MaxPendingPreviews = 8;

    private readonly LinkedList<Job> waiting = []; // guarded by gate
    private readonly List<Job> running = []; // the loop's own
    private TimeSpan smoothedCall = TimeSpan.FromMilliseconds(100); // guarded by gate
    private bool stopping; // guarded by gate

    /// <summary>False once the loop has ended, which it does only on disposal or on a fault of its own.</summary>
    public bool Alive => !stopped.Task.IsCompleted;

    public DenoisingEngine(ComputeDevice device, IOptions<DenoiserOptions> options, IOptions<SliceOptions> slice)
    {
        this.device = device;
        this.options = options.Value;
        queueCapacity = slice.Value.QueueCapacity;
        new Thread(Run) { Name = "denoiser", IsBackground = true }.Start();
    }

    /// <summary>Runs a job to its end. Cancelling stops it before its next call of the network.</summary>
    /// <exception cref="OverloadedException">As many jobs as may are waiting.</exception>
    public async IAsyncEnumerable<DenoisingEvent> RunAsync(DenoisingWork work, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var job = new Job(work, cancellation);
        Enqueue(job);
        try
        {
            await foreach (var next in job.Events.Reader.ReadAllAsync(cancellation))
            {
                yield return next;
            }
        }
        finally
        {
            // The rows belong to the loop until it lets go of them; the caller may dispose them after this.
            job.Abandon();
            lock (gate)
            {
                if (waiting.Remove(job))
                {
                    job.Released.TrySetResult();
                }
            }

            await job.Released.Task;
        }
    }

    /// <summary>Refuses new jobs, ends those that run and stops the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            stopping = true;
            Monitor.PulseAll(gate);
        }

        await stopped.Task;
    }

    private void Enqueue(Job job)
    {
        lock (gate)
        {
            if (stopping)
            {
                throw new UnavailableException("The denoiser is shutting down.");
            }

            if (waiting.Count >= queueCapacity)
            {
                var ahead = waiting.Sum(j => j.Work.Rows.Sum(row => row.RemainingCalls)) * smoothedCall / options.MaxBatchPictures;
                throw new OverloadedException($"{waiting.Count} jobs wait already, which is as many as may.", ahead);
            }

            job.Post(new Waiting(waiting.Count));
            waiting.AddLast(job);
            Monitor.Pulse(gate);
        }
    }

    private void Run()
    {
        try
        {
            device.PrepareThread();
            while (Join())
            {
                Drop(job => job.Abandoned, _ => { });
                if (running.Count > 0)
                {
                    Advance(NextBatch());
                }
            }
        }
        catch (Exception e)
        {
            StopAll(e);
        }
        finally
        {
            StopAll(new UnavailableException("The denoiser is shutting down."));
            stopped.TrySetResult();
        }
    }

    // Lets waiting jobs in while there is room; sleeps when there is nothing to do. False when the engine stops.
    private bool Join()
    {
        lock (gate)
        {
            while (!stopping && running.Count == 0 && waiting.Count == 0)
            {
                Monitor.Wait(gate);
            }

            bool joined = false;
            while (waiting.First is { } first && HasRoom(first.Value))
            {
                waiting.RemoveFirst();
                first.Value.Begin();
                running.Add(first.Value);
                joined = true;
            }

            if (joined)
            {
                int position = 0;
                foreach (var job in waiting)
                {
                    job.Post(new Waiting(position++));
                }
            }

            return !stopping;
        }
    }

    private bool HasRoom(Job job) =>
        running.Count == 0 || running.Sum(j => j.Work.Rows.Count) + job.Work.Rows.Count <= options.MaxRunningPictures;

    // The jobs of one key, longest untouched first, as many as one call takes.
    private List<Job> NextBatch()
    {
        var oldest = running.MinBy(job => job.LastAdvanced)!;
        var batch = new List<Job>();
        int pictures = 0;
        foreach (var job in running.Where(job => job.Work.Key.Equals(oldest.Work.Key)).OrderBy(job => job.LastAdvanced))
        {
            if (batch.Count > 0 && pictures + job.Work.Rows.Count > options.MaxBatchPictures)
            {
                break;
            }

            batch.Add(job);
            pictures += job.Work.Rows.Count;
        }

        return batch;
    }

    private void Advance(List<Job> batch)
    {
        long start = Stopwatch.GetTimestamp();
        int rows = 0;
        try
        {
            foreach (var pictures in batch.SelectMany(job => job.Work.Rows).Chunk(options.MaxBatchPictures))
            {
                rows = Math.Max(rows, DenoisingBatch.Advance(batch[0].Work.Network, pictures));
            }

            var elapsed = Stopwatch.GetElapsedTime(start);
            lock (gate)
            {
                smoothedCall = (3 * smoothedCall + elapsed) / 4;
            }

            foreach (var job in batch)
            {
                job.Advanced(elapsed, rows);
            }

            Drop(job => job.Work.Rows[0].RemainingCalls == 0, job => job.Finish());
        }
        catch (Exception e)
        {
            // Only the jobs of this batch fail; what the device holds for others is untouched.
            Drop(batch.Contains, job => job.Fail(e));
        }
    }

    private void Drop(Predicate<Job> which, Action<Job> end)
    {
        foreach (var job in running.FindAll(which))
        {
            end(job);
            running.Remove(job);
            job.Released.TrySetResult();
        }
    }

    private void StopAll(Exception reason)
    {
        lock (gate)
        {
            stopping = true;
            running.AddRange(waiting);
            waiting.Clear();
        }

        Drop(_ => true, job => job.Fail(reason));
    }

    private sealed class Job(DenoisingWork work, CancellationToken cancellation)
    {
        private readonly long submitted = Stopwatch.GetTimestamp();
        private long begun;
        private TimeSpan onDevice;
        private int stepsReported;
        private volatile bool abandoned;

        public DenoisingWork Work => work;

        public Channel<DenoisingEvent> Events { get; } = Channel.CreateUnbounded<DenoisingEvent>(); // bounded by the number of steps and MaxPendingPreviews

        public TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Abandoned => abandoned || cancellation.IsCancellationRequested;

        public long LastAdvanced { get; private set; }

        public void Abandon() => abandoned = true;

        public void Post(DenoisingEvent next) => Events.Writer.TryWrite(next);

        public void Begin() => begun = Stopwatch.GetTimestamp();

        public void Advanced(TimeSpan elapsed, int batchRows)
        {
            LastAdvanced = Stopwatch.GetTimestamp();
            onDevice += elapsed;
            int step = work.StepsDone;
            if (step == stepsReported)
            {
                return; // between the calls of a step that takes several
            }

            stepsReported = step;
            Post(new Stepped(step, elapsed, batchRows));
            bool preview = work.PreviewInterval > 0 && step % work.PreviewInterval == 0 && work.Rows[0].RemainingCalls > 0;
            if (preview && Events.Reader.Count < MaxPendingPreviews)
            {
                PostLatents(row => row.Denoised, preview: true);
            }
        }

        public void Finish()
        {
            PostLatents(row => row.Latents, preview: false);
            Post(new Finished(Stopwatch.GetElapsedTime(submitted, begun), Stopwatch.GetElapsedTime(begun), onDevice));
            Events.Writer.TryComplete();
        }

        public void Fail(Exception e) => Events.Writer.TryComplete(e);

        private void PostLatents(Func<DenoisingRow, torch.Tensor> of, bool preview)
        {
            for (int i = 0; i < work.Rows.Count; i++)
            {
                var latents = of(work.Rows[i]);
                Post(new LatentsReady(i, preview, work.StepsDone, latents.shape, latents.bytes.ToArray()));
            }
        }
    }
}
