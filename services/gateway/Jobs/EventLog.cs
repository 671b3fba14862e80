using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Fleet.Contracts.Generation.V1;

namespace Fleet.Gateway.Jobs;

/// <summary>
/// The events of one job, for any number of readers who come at any time and read at their own pace. A reader holds nothing but a
/// position, so a slow one costs no memory and delays nobody: images are kept once for all, and of progress and previews only the
/// latest few are.
/// </summary>
internal sealed class EventLog
{
    /// <summary>Progress and preview events that wait for readers; of more, the oldest goes.</summary>
    public const int TransientWindow = 64;

    private readonly Lock gate = new();
    private readonly List<Entry> entries = [];
    private TaskCompletionSource changed = NewSignal();
    private long nextPosition;
    private int transients;
    private bool ended;
    private Exception? fault;

    /// <summary>Bytes of all events that are held.</summary>
    public long Bytes { get; private set; }

    public void Publish(GenerateResponse response)
    {
        lock (gate)
        {
            if (ended)
            {
                return;
            }

            var entry = new Entry(nextPosition++, response, TransientKey.Of(response), response.CalculateSize());
            entries.Add(entry);
            Bytes += entry.Bytes;
            if (entry.Key is not null && ++transients > TransientWindow)
            {
                DropOldestTransient();
            }

            Signal();
        }
    }

    /// <summary>No event follows. Readers that have read all end; with a fault, they throw it. Only the first end counts.</summary>
    public void End(Exception? why = null)
    {
        lock (gate)
        {
            if (!ended)
            {
                ended = true;
                fault = why;
                Signal();
            }
        }
    }

    /// <summary>
    /// Events from the first one on. Of accepted, progress and previews that happened before the call only those are given that no
    /// later one has replaced.
    /// </summary>
    public async IAsyncEnumerable<GenerateResponse> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (batch, position) = Replay();
        while (true)
        {
            foreach (var response in batch)
            {
                yield return response;
            }

            Task more;
            lock (gate)
            {
                batch = Since(position);
                position = nextPosition;
                if (batch.Count == 0 && ended)
                {
                    if (fault is not null)
                    {
                        ExceptionDispatchInfo.Throw(fault); // each reader gets it with the place where it arose
                    }

                    yield break;
                }

                more = batch.Count > 0 ? Task.CompletedTask : changed.Task;
            }

            await more.WaitAsync(cancellationToken);
        }
    }

    private (List<GenerateResponse> Batch, long Position) Replay()
    {
        lock (gate)
        {
            var latest = entries.Where(e => e.Key is not null).GroupBy(e => e.Key).Select(group => group.Last().Position).ToHashSet();
            long accepted = entries.FindLast(e => e.Response.EventCase == GenerateResponse.EventOneofCase.Accepted).Position;
            bool Replaced(Entry e) => e.Key is not null
                ? !latest.Contains(e.Position)
                : e.Response.EventCase == GenerateResponse.EventOneofCase.Accepted && e.Position < accepted;
            return ([.. entries.Where(e => !Replaced(e)).Select(e => e.Response)], nextPosition);
        }
    }

    private List<GenerateResponse> Since(long position)
    {
        int first = entries.Count;
        while (first > 0 && entries[first - 1].Position >= position)
        {
            first--;
        }

        return [.. entries.Skip(first).Select(e => e.Response)];
    }

    private void DropOldestTransient()
    {
        int oldest = entries.FindIndex(e => e.Key is not null);
        Bytes -= entries[oldest].Bytes;
        entries.RemoveAt(oldest);
        transients--;
    }

    private void Signal()
    {
        changed.SetResult();
        changed = NewSignal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly record struct Entry(long Position, GenerateResponse Response, TransientKey? Key, int Bytes);

    // What a later event of the same key replaces: progress, and the preview of one picture.
    private sealed record TransientKey(GenerateResponse.EventOneofCase Case, int ImageIndex)
    {
        public static TransientKey? Of(GenerateResponse response) => response.EventCase switch
        {
            GenerateResponse.EventOneofCase.Progress => new(response.EventCase, 0),
            GenerateResponse.EventOneofCase.Preview => new(response.EventCase, response.Preview.ImageIndex),
            _ => null,
        };
    }
}
