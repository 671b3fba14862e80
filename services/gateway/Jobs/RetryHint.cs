namespace Fleet.Gateway.Jobs;

/// <summary>When a place is likely to be free, judged by how long jobs have taken lately.</summary>
internal sealed class RetryHint
{
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Most = TimeSpan.FromSeconds(30);
    private TimeSpan typical = TimeSpan.FromSeconds(5);

    public void Observe(TimeSpan duration) => typical += (duration - typical) / 8;

    // With n jobs that end independently of each other one ends every n-th of their duration.
    public TimeSpan For(int running)
    {
        var expected = typical / running;
        return expected < Least ? Least : expected > Most ? Most : expected;
    }
}
