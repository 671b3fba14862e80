using System.Collections.Concurrent;
using Fleet.Gateway.Stages;
using Grpc.Core;

namespace Fleet.Gateway.Planning;

/// <summary>
/// Keeps answers of another service for a short while, and goes on using an old one when that service cannot be reached.
/// </summary>
internal sealed class StaleCache<T>(TimeSpan lifetime, int capacity, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, Entry> entries = new();

    /// <summary>The answer to a question; <paramref name="ask"/> gets a new one.</summary>
    public async Task<T> GetAsync(string question, Func<Task<T>> ask, Action<RpcException> usesOldAnswer)
    {
        bool known = entries.TryGetValue(question, out var entry);
        if (known && time.GetElapsedTime(entry!.Asked) < lifetime)
        {
            return entry.Answer;
        }

        try
        {
            var answer = await ask();
            Set(question, answer);
            return answer;
        }
        catch (RpcException e) when (known && e.StatusCode != StatusCode.Cancelled && StageFailure.IsOutage(e))
        {
            // The old answer counts as new, so that an outage delays one caller per lifetime and not each of them.
            usesOldAnswer(e);
            Set(question, entry!.Answer);
            return entry.Answer;
        }
        catch (RpcException)
        {
            entries.TryRemove(question, out _);
            throw;
        }
    }

    private void Set(string question, T answer)
    {
        if (entries.Count >= capacity && !entries.ContainsKey(question))
        {
            entries.TryRemove(entries.MinBy(pair => pair.Value.Asked).Key, out _);
        }

        entries[question] = new Entry(answer, time.GetTimestamp());
    }

    private sealed record Entry(T Answer, long Asked);
}
