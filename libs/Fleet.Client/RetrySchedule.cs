namespace Fleet.Client;

// Counts the tries of one generation and waits between them.
internal sealed class RetrySchedule(FleetClientOptions options, DateTime? deadline)
{
    private int failures;

    // Returns when the next try is due; throws the failure when there is to be none.
    public async Task WaitAsync(FleetException failure, CancellationToken cancellationToken)
    {
        failures++;
        var delay = Delay(failure.RetryHint);
        if (!failure.IsTransient || failures >= options.MaxAttempts || options.Time.GetUtcNow().UtcDateTime + delay >= deadline)
        {
            throw failure;
        }

        await Task.Delay(delay, options.Time, cancellationToken);
    }

    // Doubling, with up to half taken off at random so that callers refused together do not come back together.
    private TimeSpan Delay(TimeSpan hint)
    {
        double doubled = options.FirstRetryDelay.TotalMilliseconds * Math.Pow(2, failures - 1);
        double capped = Math.Min(doubled, options.MaxRetryDelay.TotalMilliseconds);
        var backoff = TimeSpan.FromMilliseconds(capped * (0.5 + Random.Shared.NextDouble() / 2));
        return hint > backoff ? hint : backoff;
    }
}
