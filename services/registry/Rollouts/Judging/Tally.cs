namespace Fleet.Registry.Rollouts.Judging;

/// <summary>How many requests there were, and in how many of them it happened.</summary>
internal readonly record struct Tally(long Requests, long Hits)
{
    public double Rate => (double)Hits / Requests;

    public Tally With(bool hit) => new(Requests + 1, Hits + (hit ? 1 : 0));

    public static Tally operator +(Tally a, Tally b) => new(a.Requests + b.Requests, a.Hits + b.Hits);
}
